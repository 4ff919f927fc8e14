// What is wrong with a stream, in the order of how much it matters. A warning has a text of a few
// words, and a hint that says what it means or what to do.

import { count, duration, plural, rate, span } from "./format.js";

/** A keyframe should come every 1 or 2 s; players cannot start without one. */
const KEYFRAME_MS = 10_000;
/** How long sound that was announced may take to come, or stay away. */
const AUDIO_MS = 10_000;
/** For how long nothing may come of a publisher. */
const SILENCE_MS = 5_000;
/** A segment that is so many times as old as segments are long is late. */
const SEGMENTS = 3;
/** A disk error is warned of for so long after the last one. */
const DISK_ERROR_MS = 120_000;
/** Skipped frames are warned of for so long. */
export const SKIPPING_MS = 30_000;

export const BAD = "bad";
export const WARN = "warn";

/** The warnings of a stream, see `Streams`; the worst first. */
export function warningsOf(stream) {
  const { facts } = stream;
  const published = facts.publishing ? [silence, keyframe, audio, slow, segments] : [];
  const all = [...published, disk, relays, programs, skipping].flatMap((check) => check(facts, stream) ?? []);
  return all.sort((a, b) => (a.level === b.level ? 0 : a.level === BAD ? -1 : 1));
}

function warning(level, text, hint) {
  return { level, text, hint };
}

function silence(facts, { silentMs }) {
  if (silentMs < SILENCE_MS) return null;
  const text = `Publisher silent for ${duration(silentMs / 1000)}`;
  return warning(BAD, text, "The connection is open, but nothing comes: the encoder hangs or its network is gone.");
}

function keyframe(facts, { silentMs }) {
  const hasVideo = facts.media?.video.codec || facts.bw_video > 0;
  const since = facts.since_keyframe ?? facts.time;
  if (!hasVideo || silentMs >= SILENCE_MS || !(since > KEYFRAME_MS)) return null;
  const text = `No keyframe for ${duration(since / 1000)}`;
  return warning(BAD, text, "Players cannot start, and segments do not end. Set the encoder’s keyframe interval to 1 or 2 s.");
}

function audio(facts, { silentMs }) {
  const since = Math.min(facts.since_audio ?? facts.time, facts.time);
  if (!facts.media?.audio.codec || silentMs >= SILENCE_MS || !(since > AUDIO_MS)) return null;
  const codec = facts.media.audio.codec;
  const text = facts.since_audio == null ? "Sound announced, none came" : `No sound for ${duration(since / 1000)}`;
  return warning(WARN, text, `The encoder said that there is ${codec} and sends none; some players wait for it.`);
}

function slow(facts) {
  const announced = facts.media?.video.frame_rate;
  const measured = facts.frame_rate;
  if (!announced || measured == null || facts.time < 15_000 || measured >= announced * 0.8) return null;
  if (!facts.bw_video) return null;
  const text = `${rate(measured)} of ${rate(announced)} pictures a second`;
  return warning(WARN, text, "The encoder is overloaded, or its network is too slow.");
}

function segments({ hls }) {
  const last = hls?.last_segment;
  if (!last || last.age < Math.max(last.duration * SEGMENTS, KEYFRAME_MS)) return null;
  return warning(BAD, `No HLS segment for ${duration(last.age / 1000)}`, "HLS viewers have nothing more to play.");
}

function disk({ hls, recorders = [] }, { serverTime }) {
  const failing = recorders.filter(({ state }) => state === "failed");
  if (failing.length) return failing.map(({ id, errors }) => warning(BAD, `Recorder ${id || "of the application"} fails`, told(errors)));
  const errors = [hls, ...recorders].map((it) => it?.errors).filter((it) => serverTime - it?.last?.at < DISK_ERROR_MS);
  const count = errors.reduce((sum, it) => sum + it.count, 0);
  const newest = errors.sort((a, b) => b.last.at - a.last.at)[0];
  return count ? warning(BAD, plural(count, "disk error"), told(newest)) : null;
}

function told(errors) {
  return errors?.last ? `A file could not be written: ${errors.last.text}` : "A file could not be written.";
}

function relays({ relays = [] }) {
  const down = relays.filter(({ state, time, errors }) => state !== "connected" && (errors?.count > 0 || time > SILENCE_MS));
  return down.map(({ direction, url, state, time, errors }) => {
    const why = errors?.last ? `: ${errors.last.text}` : "";
    const what = direction === "pull" ? "Pull from" : "Push to";
    return warning(BAD, `Relay down for ${duration(time / 1000)}`, `${what} ${url} is ${state}${why}`);
  });
}

function programs({ children = [] }) {
  const failing = children.filter(({ state, restarts, ran }) => state === "waiting" && restarts > 0 && ran < 10_000);
  return failing.map(({ program, ran, restarts }) =>
    warning(WARN, `${program} keeps ending`, `It ran for ${span(ran)} and was started ${plural(restarts, "time")} again; its output is in the error log.`));
}

function skipping(facts, { skipping }) {
  if (!skipping.frames) return null;
  const text = `Players skip: ${count(skipping.frames)} frames in ${duration(SKIPPING_MS / 1000)}`;
  return warning(WARN, text, "Their networks are slower than the stream. Others are not held up.");
}
