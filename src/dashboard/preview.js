// The live picture of one stream: endless fragmented MP4, which a <video> is fed with as it comes.

/** How far behind the newest picture the player may fall before it jumps, in seconds. */
const LAG = 3;
/** Where it jumps to, from the newest picture. */
const EDGE = 0.5;
/** What is kept of the past, in seconds. */
const PAST = 15;
/** Bytes that may wait for the decoder; a browser that takes no more is begun again. */
const WAITING = 16 << 20;
const AGAIN_MS = 3000;

export class Preview {
  #video;
  #tell;
  #open = null;
  #timer = 0;

  /** `tell(text)` is given what is to be read over the picture; nothing once it plays. */
  constructor(video, tell) {
    this.#video = video;
    this.#tell = tell;
    video.addEventListener("playing", () => this.#open && tell(""));
    video.addEventListener("error", () => this.#open?.fail("The browser cannot play this."));
  }

  /** Plays what the URL gives, until it is closed. */
  open(url) {
    this.close();
    this.#tell("Waiting for a picture…");
    const attempt = new AbortController();
    const fail = (text) => {
      if (attempt.signal.aborted) return;
      this.close();
      this.#tell(text);
      this.#timer = setTimeout(() => this.open(url), AGAIN_MS);
    };
    this.#open = { attempt, fail };
    play(this.#video, url, attempt.signal).then(
      () => fail("The stream has paused or ended."),
      (error) => fail(error instanceof Refusal ? error.message : "The preview does not come through."),
    );
  }

  /** Stops, and lets the server go. */
  close() {
    clearTimeout(this.#timer);
    this.#open?.attempt.abort();
    this.#open = null;
    if (this.#video.hasAttribute("src")) {
      this.#video.removeAttribute("src");
      this.#video.load();
    }
  }
}

/** Why there is no preview, to be read by people. */
class Refusal extends Error {}

async function play(video, url, signal) {
  const response = await fetch(url, { signal, cache: "no-store" });
  if (!response.ok) throw new Refusal(refusal(response.status));
  const type = response.headers.get("content-type");
  const Source = window.ManagedMediaSource ?? window.MediaSource;
  if (!Source?.isTypeSupported(type)) throw new Refusal(`This browser has no decoder for ${codecs(type)}.`);

  const source = new Source();
  video.disableRemotePlayback = true;
  video.src = URL.createObjectURL(source);
  await once(source, "sourceopen", signal);
  URL.revokeObjectURL(video.src);
  await feed(video, source.addSourceBuffer(type), response.body.getReader(), signal);
}

function refusal(status) {
  if (status === 404) return "There is no preview of this stream.";
  if (status === 415) return "There is no preview of this codec.";
  if (status === 401 || status === 403) return "The preview is not allowed.";
  return `The preview failed with status ${status}.`;
}

function codecs(type) {
  return /codecs="([^"]*)"/.exec(type ?? "")?.[1] ?? type;
}

/** Appends what comes until it ends. */
async function feed(video, buffer, reader, signal) {
  const waiting = [];
  let size = 0;
  buffer.addEventListener("updateend", append);
  const error = once(buffer, "error", signal).then(() => { throw new Error("not decodable"); });
  const read = async () => {
    for (let part; !(part = await reader.read()).done; ) {
      waiting.push(part.value);
      size += part.value.length;
      if (size > WAITING) throw new Error("the decoder is stuck");
      append();
    }
  };
  await Promise.race([read(), error]);

  function append() {
    if (signal.aborted || buffer.updating) return;
    const { buffered } = buffer;
    if (buffered.length) {
      const [start, end] = [buffered.start(0), buffered.end(buffered.length - 1)];
      keepUp(video, start, end);
      if (start < end - 2 * PAST) return buffer.remove(0, end - PAST);
    }
    if (!waiting.length) return;
    const part = waiting.shift();
    size -= part.length;
    buffer.appendBuffer(part);
  }
}

/** Plays near the newest picture; the first one may be at any time. Who pauses, pauses. */
function keepUp(video, start, end) {
  const isBehind = end - video.currentTime > LAG && !video.paused;
  if (video.currentTime < start || isBehind) video.currentTime = Math.max(start, end - EDGE);
}

function once(target, name, signal) {
  return new Promise((resolve, reject) => {
    target.addEventListener(name, resolve, { once: true });
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
