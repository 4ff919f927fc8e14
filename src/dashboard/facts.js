// All that is known of a stream, as lines of a name and a text.

import { codecName } from "./describe.js";
import { count, duration, plural, rate, size, span } from "./format.js";

/** `[name, text]` each; what is not known is left out. */
export function factsOf({ facts, publisher }) {
  const lines = [
    ["Video", videoOf(facts)],
    ["Audio", audioOf(facts)],
    ["Bitrate", facts.publishing && mixOf(facts)],
    ["Keyframes", keyframesOf(facts)],
    ["Publisher", publisher && publisherOf(publisher)],
    ["HLS", hlsOf(facts)],
    ...(facts.recorders ?? []).map((it) => [`Recorder ${it.id}`.trim(), recorderOf(it)]),
    ...(facts.relays ?? []).map((it) => [it.direction === "pull" ? "Pull" : "Push", relayOf(it)]),
    ...(facts.children ?? []).map((it) => ["Program", programOf(it)]),
    ["Skipped", facts.skipped > 0 && `${plural(facts.skipped, "frame")} that players were too slow for`],
    ["Received", size(facts.bytes_in)],
    ["Sent", size(facts.bytes_out)],
  ];
  return lines.filter(([, text]) => text);
}

function joined(...parts) {
  return parts.filter(Boolean).join(", ");
}

function videoOf({ media, bw_video: bits, frame_rate: measured }) {
  const { codec, profile, level, width, height, frame_rate: announced } = media?.video ?? {};
  if (!codec && !bits) return "";
  const name = [codecName(codec), profile, level].filter(Boolean).join(" ");
  const differs = announced && measured && Math.abs(announced - measured) > 0.05 * announced;
  const frames = measured ? `${rate(Math.round(measured * 10) / 10)} fps${differs ? ` of ${rate(announced)}` : ""}` : "";
  return joined(name, width && height && `${width}×${height}`, frames || (announced && `${rate(announced)} fps`));
}

function audioOf({ media }) {
  const { codec, profile, channels, sample_rate: samples } = media?.audio ?? {};
  if (!codec) return "";
  const name = [codec, profile].filter(Boolean).join(" ");
  return joined(name, samples && `${samples / 1000} kHz`, channels && plural(channels, "channel"));
}

function mixOf({ bw_video: video, bw_audio: audio }) {
  const kilobits = (bits) => `${count(Math.round(bits / 1000))} kbit/s`;
  return joined(`video ${kilobits(video)}`, `audio ${kilobits(audio)}`);
}

function keyframesOf({ gop, since_keyframe: since }) {
  if (since == null) return "";
  return joined(gop && `every ${span(gop.time)} (${plural(gop.frames, "picture")})`, `last ${span(since)} ago`);
}

function publisherOf({ address, protocol, flash_ver: encoder, time }) {
  return joined(address, protocol?.toUpperCase(), encoder, `for ${duration(time / 1000)}`);
}

function hlsOf({ hls }) {
  if (!hls) return "";
  const last = hls.last_segment;
  const newest = last && `${span(last.duration)} each, last ${span(last.age)} ago`;
  return joined(plural(hls.segments, "segment"), newest, errorsOf(hls));
}

function recorderOf(recorder) {
  const isWriting = recorder.state === "recording";
  const file = recorder.file?.split("/").at(-1);
  const written = isWriting && joined(file, size(recorder.bytes), duration(recorder.time / 1000));
  return joined(recorder.state, written, errorsOf(recorder));
}

function relayOf(relay) {
  const { url, state, time, bytes } = relay;
  return joined(url, `${state} for ${duration(time / 1000)}`, bytes > 0 && size(bytes), errorsOf(relay));
}

function programOf({ program, state, pid, time, restarts }) {
  const again = restarts > 0 && `started ${plural(restarts, "time")} again`;
  return joined(program, state === "running" ? `runs for ${duration(time / 1000)}` : state, pid && `process ${pid}`, again);
}

function errorsOf({ errors }) {
  if (!errors?.count) return "";
  return `${plural(errors.count, "error")}${errors.last ? `, last: ${errors.last.text}` : ""}`;
}
