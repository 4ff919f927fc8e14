// What the viewer is told about the picture.

// The player's newest segment is now and then one older or newer than the one seen here, which
// the median of this many looks evens out.
const LOOKS = 5;

/** Measures the playing video: feed it with `measure` every few seconds. */
export class Facts {
  #video;
  #last = { time: 0, frames: 0 };
  #segment = null;
  #bitRate = NaN;
  #origins = [];

  constructor(video) {
    this.#video = video;
    video.addEventListener("emptied", () => (this.#origins = []));
  }

  /** Facts of `stream` (see streams.js) as texts, "–" where unknown. */
  async measure(stream) {
    await this.#measureBitRate(stream);
    return {
      picture: this.#picture(),
      rate: known(this.#frameRate(), (rate) => `${rate.toFixed(0)} fps`),
      bits: known(this.#bitRate, (rate) => `${(rate / 1e6).toFixed(1)} Mbit/s`),
      latency: known(this.#latency(stream), (seconds) => `${seconds.toFixed(0)} s`),
    };
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

  // The size of the newest segment by its duration.
  async #measureBitRate(stream) {
    const segment = stream.segments.at(-1);
    if (segment.url === this.#segment) return;
    const response = await fetch(segment.url, { method: "HEAD" });
    if (!response.ok) return;
    this.#segment = segment.url;
    this.#bitRate = (Number(response.headers.get("Content-Length")) * 8) / segment.duration;
  }

  // Players load up to the playlist's end, so the end of what is buffered was on the air at `edge`;
  // from that follows when the video's time 0 was, and when what is seen now was.
  #latency(stream) {
    const { buffered, currentTime } = this.#video;
    if (buffered.length === 0) return NaN;
    this.#origins = [...this.#origins, stream.edge / 1000 - buffered.end(buffered.length - 1)].slice(-LOOKS);
    return Date.now() / 1000 - (median(this.#origins) + currentTime);
  }
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

function known(value, format) {
  return Number.isFinite(value) && value > 0 ? format(value) : "–";
}
