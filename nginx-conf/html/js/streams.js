// Which streams are live, as the files that the server writes tell it.

// A playlist that has not changed for this many of its segments belongs to a stream that is gone
// without a word: its server was stopped, or its encoder hangs.
const STALE_AFTER_SEGMENTS = 4;

// nginx gives times in whole seconds.
const CLOCK_GRAIN_MS = 2000;

/**
 * The live streams, by name.
 * Each is {name, url, segments: [{url, duration, end}]}: durations in seconds, `end` the wall clock
 * time of the segment's end by this machine's clock, or NaN if the playlist does not say.
 */
export async function liveStreams() {
  const streams = await Promise.all((await directories()).map(liveStream));
  return streams.filter(Boolean).sort((a, b) => a.name.localeCompare(b.name));
}

/** Where players find the stream's playlist, as an absolute URL. */
export function playlistUrl(name) {
  return new URL(`hls/${encodeURIComponent(name)}/index.m3u8`, document.baseURI).href;
}

async function directories() {
  const response = await look("streams/");
  if (response.status !== 200) return [];
  const entries = await response.json();
  return entries.filter(({ type }) => type === "directory").map(({ name }) => name);
}

async function liveStream(name) {
  const response = await look(`streams/${encodeURIComponent(name)}/index.m3u8`);
  if (response.status !== 200) return null;
  const url = playlistUrl(name);
  const { ended, targetDuration, segments } = parsePlaylist(await response.text(), url);
  if (ended || segments.length === 0 || isStale(response, targetDuration)) return null;
  const ahead = clockAhead(response);
  return { name, url, segments: segments.map((segment) => ({ ...segment, end: segment.end - ahead })) };
}

// Below streams/ nginx answers 204 for what does not exist.
async function look(path) {
  const response = await fetch(path, { cache: "no-store" });
  if (response.status >= 500) throw new Error(`${path}: HTTP ${response.status}`);
  return response;
}

/** Reads a media playlist (RFC 8216, section 4.3). */
function parsePlaylist(text, base) {
  const playlist = { ended: false, targetDuration: 0, segments: [] };
  let duration = 0;
  let time = NaN;
  for (const line of text.split(/\r?\n/)) {
    const [tag, value] = line.split(/:(.*)/, 2);
    if (tag === "#EXT-X-ENDLIST") playlist.ended = true;
    else if (tag === "#EXT-X-TARGETDURATION") playlist.targetDuration = Number(value);
    else if (tag === "#EXT-X-PROGRAM-DATE-TIME") time = Date.parse(value);
    else if (tag === "#EXTINF") duration = parseFloat(value);
    else if (line !== "" && !line.startsWith("#")) {
      time += duration * 1000;
      playlist.segments.push({ url: new URL(line, base).href, duration, end: time });
    }
  }
  return playlist;
}

// Compares two times of the server, so a wrong clock here does no harm.
function isStale(response, targetDuration) {
  const age = dateOf(response, "Date") - dateOf(response, "Last-Modified");
  return age > STALE_AFTER_SEGMENTS * targetDuration * 1000 + CLOCK_GRAIN_MS;
}

/** By how many milliseconds the server's clock is ahead of this machine's; 0 if they agree. */
function clockAhead(response) {
  const ahead = dateOf(response, "Date") - Date.now();
  return Math.abs(ahead) > CLOCK_GRAIN_MS ? ahead : 0;
}

function dateOf(response, header) {
  return Date.parse(response.headers.get(header));
}
