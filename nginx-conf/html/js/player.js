// Plays one HLS stream in a <video>: by the browser's own player where it has one, else by hls.js.

const HLS_TYPE = "application/vnd.apple.mpegurl";

/**
 * A player is `idle`, then after `play`: `connecting`, `blocked` (the browser wants a click first),
 * `playing`, `waiting` (for data), and at last `ended` or `failed`. It calls `onState` whenever that
 * changes.
 */
export class Player {
  #video;
  #onState;
  #hls = null;
  #url = null;

  constructor(video, onState) {
    this.state = "idle";
    this.#video = video;
    this.#onState = onState;
    video.addEventListener("playing", () => this.#enter("playing"));
    video.addEventListener("waiting", () => this.#enter("waiting"));
    video.addEventListener("ended", () => this.#enter("ended"));
    video.addEventListener("error", () => this.#elementFailed());
  }

  /** Starts the playlist at `url`, in place of what is playing. */
  async play(url) {
    this.stop();
    this.#url = url;
    this.#enter("connecting");
    if (this.#video.canPlayType(HLS_TYPE)) this.#playNatively();
    else await this.#playWithHlsJs();
  }

  /** Lets go of the stream. */
  stop() {
    this.#url = null;
    this.#hls?.destroy();
    this.#hls = null;
    this.#video.removeAttribute("src");
    this.#video.load();
    this.#enter("idle");
  }

  #playNatively() {
    this.#video.src = this.#url;
    this.#start();
  }

  async #playWithHlsJs() {
    const url = this.#url;
    await loadHlsJs();
    if (this.#url !== url) return;
    if (!window.Hls?.isSupported()) return this.#enter("failed");
    this.#hls = new window.Hls({ backBufferLength: 30 });
    this.#hls.on(window.Hls.Events.ERROR, (_, error) => this.#hlsJsFailed(error));
    this.#hls.loadSource(url);
    this.#hls.attachMedia(this.#video);
    this.#start();
  }

  #start() {
    this.#video.play().catch((error) => {
      if (error.name === "NotAllowedError") this.#enter("blocked");
    });
  }

  // Some browsers say that they play HLS, and then cannot play live streams.
  #elementFailed() {
    if (this.#url === null) return;
    if (this.#hls || this.#video.currentTime > 0) return this.#enter("failed");
    this.#video.removeAttribute("src");
    this.#playWithHlsJs();
  }

  // A player that recovered and fails again before it plays is not helped by recovering.
  #hlsJsFailed(error) {
    if (!error.fatal) return;
    if (error.type === window.Hls.ErrorTypes.MEDIA_ERROR && this.state === "playing") {
      this.#enter("waiting");
      this.#hls.recoverMediaError();
    } else {
      this.#enter("failed");
    }
  }

  #enter(state) {
    if (state === this.state) return;
    this.state = state;
    this.#onState(state);
  }
}

// hls.js is half a megabyte, so it comes only where it is needed.
function loadHlsJs() {
  if (window.Hls) return Promise.resolve();
  return new Promise((resolve) => {
    const script = document.createElement("script");
    script.src = "js/hls.min.js";
    script.onload = script.onerror = resolve;
    document.head.append(script);
  });
}
