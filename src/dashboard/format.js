// Numbers as people read them, of about the same width whatever they are.

const LOCALE = "en";
const counts = new Intl.NumberFormat(LOCALE);

/** 12,345 */
export function count(number) {
  return counts.format(number);
}

/** 2.31 Mbit/s, from bits a second. */
export function bitrate(bits) {
  return scaled(bits, 1000, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"]);
}

/** 2.31 MB */
export function size(bytes) {
  return scaled(bytes, 1000, ["B", "kB", "MB", "GB", "TB", "PB"]);
}

function scaled(number, base, units) {
  let unit = 0;
  while (number >= base * 0.9995 && unit < units.length - 1) {
    number /= base;
    unit += 1;
  }
  const digits = unit === 0 || number >= 99.95 ? 0 : number >= 9.995 ? 1 : 2;
  return `${number.toFixed(digits)} ${units[unit]}`;
}

/** 42 s, 5:07 min, 3:15 h, 4 d 2 h, from seconds. */
export function duration(seconds) {
  const whole = Math.floor(seconds);
  const two = (number) => String(number).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours}:${two(minutes % 60)} h`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** 340 ms, 1.5 s, 12 s, 3:26 min, from milliseconds. */
export function span(milliseconds) {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  return milliseconds < 9950 ? `${(milliseconds / 1000).toFixed(1)} s` : duration(milliseconds / 1000);
}

/** 29.97 or 30 */
export function rate(number) {
  return String(Math.round(number * 100) / 100);
}

/** 1 viewer, 2 viewers */
export function plural(number, noun, nouns = `${noun}s`) {
  return `${count(number)} ${number === 1 ? noun : nouns}`;
}
