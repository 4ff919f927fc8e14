// What the viewer is told about the picture.

// What a player has loaded is at times reported before it is ready to be played; of this many looks
// the one that finds it longest ago is right.
const LOOKS = 5;

// So many loaded files are remembered.
const KEPT = 50;

/** Measures the playing video: call `measure` every few seconds. */
export class Facts {
  #video;
  #last = { time: 0, frames: 0 };
  #loaded = new Map();
  #origins = [];

  constructor(video) {
    this.#video = video;
    video.addEventListener("emptied", () => (this.#origins = []));
    new PerformanceObserver((list) => this.#noteLoaded(list.getEntries())).observe({ type: "resource" });
  }

  /** Facts of `stream` (see streams.js) as texts, "–" where unknown. */
  measure(stream) {
    const segment = this.#newestLoaded(stream);
    return {
      picture: this.#picture(),
      rate: known(this.#frameRate(), (rate) => `${rate.toFixed(0)} fps`),
      bits: known(this.#bitRate(segment), (rate) => `${(rate / 1e6).toFixed(1)} Mbit/s`),
      latency: known(this.#latency(segment), (seconds) => `${seconds.toFixed(0)} s`),
    };
  }

  // What the page itself looks at is below streams/, so below hls/ is what a player loaded; the
  // browser reports that of its own player, too.
  #noteLoaded(entries) {
    for (const { name, encodedBodySize } of entries) {
      if (name.includes("/hls/")) this.#loaded.set(name, encodedBodySize);
    }
    const old = [...this.#loaded.keys()].slice(0, -KEPT);
    for (const name of old) this.#loaded.delete(name);
  }

  #newestLoaded({ segments }) {
    return segments.findLast(({ url }) => this.#loaded.has(url));
  }

  #picture() {
    const { videoWidth, videoHeight, readyState } = this.#video;
    if (videoWidth > 0) return `${videoWidth} × ${videoHeight}`;
    return readyState > HTMLMediaElement.HAVE_METADATA ? "Sound only" : "–";
  }

  // Frames by seconds of video, not of the clock: a pause does not change it.
  #frameRate() {
    const now = {
      time: this.#video.currentTime,
      frames: this.#video.getVideoPlaybackQuality().totalVideoFrames,
    };
    const rate = (now.frames - this.#last.frames) / (now.time - this.#last.time);
    this.#last = now;
    return rate;
  }

  #bitRate(segment) {
    return segment ? (this.#loaded.get(segment.url) * 8) / segment.duration : NaN;
  }

  // The end of what is buffered is the end of the newest loaded segment, whose wall clock time is
  // known: so when the video's time 0 was follows, and when what is seen now was.
  #latency(segment) {
    const { buffered, currentTime } = this.#video;
    if (!segment || buffered.length === 0) return NaN;
    this.#origins.push(segment.end / 1000 - buffered.end(buffered.length - 1));
    this.#origins = this.#origins.slice(-LOOKS);
    return Date.now() / 1000 - (Math.min(...this.#origins) + currentTime);
  }
}

function known(value, format) {
  return Number.isFinite(value) && value > 0 ? format(value) : "–";
}
