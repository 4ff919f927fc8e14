// The numbers of the whole server, on top.

import { Sparkline } from "./chart.js";
import { setAttribute, setText } from "./dom.js";
import { bitrate, count, duration, plural } from "./format.js";
import { REMEMBERED } from "./streams.js";

export class Totals {
  #in = new Sparkline(document.getElementById("spark-in"), REMEMBERED);
  #out = new Sparkline(document.getElementById("spark-out"), REMEMBERED);

  update(server, streams) {
    streams.in.push(server.bw_in);
    streams.out.push(server.bw_out);
    this.#in.draw(streams.in);
    this.#out.draw(streams.out);
    const rtmp = streams.sum((it) => it.rtmpViewers);
    const hls = streams.sum((it) => it.hlsViewers);
    const ill = streams.sum((it) => (it.warnings.length ? 1 : 0));
    const errors = server.storage?.errors ?? { count: 0 };
    const well = streams.all.size ? "all well" : "nothing published";
    tell("streams", count(streams.all.size), ill ? `${count(ill)} ${ill === 1 ? "needs" : "need"} attention` : well, ill > 0);
    tell("viewers", count(rtmp + hls), `${count(rtmp)} RTMP, ${count(hls)} HLS`);
    setText(document.getElementById("total-in"), bitrate(server.bw_in));
    setText(document.getElementById("total-out"), bitrate(server.bw_out));
    tell("workers", count(server.workers), `up ${duration(server.uptime)}`);
    tell("disk", count(errors.count), errors.last?.text ?? plural(server.storage?.outputs ?? 0, "output"), errors.count > 0);
  }
}

function tell(name, total, note, isAlarm = false) {
  setText(document.getElementById(`total-${name}`), total);
  const place = document.getElementById(`note-${name}`);
  setText(place, note || "\u00a0");
  place.title = note;
  setAttribute(place.parentElement, "data-alarm", String(isAlarm));
}
