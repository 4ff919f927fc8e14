// A stream in words.

import { plural, rate } from "./format.js";

const VIDEO = { H264: "H.264", "hvc1": "HEVC", "av01": "AV1", "vp09": "VP9" };

/** H.264 1920×1080, 30 fps */
export function video(facts) {
  const { codec, width, height, frame_rate: announced } = facts.media?.video ?? {};
  if (!codec && !facts.bw_video) return "";
  const size = width && height ? `${width}×${height}` : "";
  const measured = facts.frame_rate || announced;
  const frames = measured ? `${rate(Math.round(measured * 10) / 10)} fps` : "";
  return [codecName(codec), size, frames].filter(Boolean).join(" ");
}

/** AAC LC 48 kHz stereo */
export function audio(facts) {
  const { codec, profile, channels, sample_rate: samples } = facts.media?.audio ?? {};
  if (!codec) return facts.bw_audio ? "Sound" : "";
  const parts = [codec, profile, samples ? `${samples / 1000} kHz` : "", channelsName(channels)];
  return parts.filter(Boolean).join(" ");
}

/** The codec as people call it. */
export function codecName(codec) {
  return VIDEO[codec] ?? codec ?? "Video";
}

function channelsName(channels) {
  return { 0: "", 1: "mono", 2: "stereo", 6: "5.1", 8: "7.1" }[channels ?? 0] ?? `${channels} channels`;
}

/** What is to be said of it first: its worst warning, or that all is well. */
export function state(stream) {
  const [first, ...others] = stream.warnings;
  if (first) return others.length ? `${first.text}, +${others.length}` : first.text;
  if (stream.facts.publishing) return "Live";
  return `No publisher, ${plural(stream.viewers, "viewer waits", "viewers wait")}`;
}
