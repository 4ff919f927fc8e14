// nginx with the module, in a directory and on ports of its own, and what publishes to it.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Starts nginx with a dashboard that may control, and one that may not. */
export async function startServer({ nginx, module }) {
  const [prefix, rtmp, http] = [mkdtempSync(join(tmpdir(), "dashboard.")), await freePort(), await freePort()];
  for (const directory of ["logs", "tmp", "rec"]) mkdirSync(join(prefix, directory));
  writeFileSync(join(prefix, "nginx.conf"), configuration({ module, prefix, rtmp, http }));
  const started = spawn(nginx, ["-p", `${prefix}/`, "-c", "nginx.conf", "-g", "daemon off;"], { stdio: "inherit" });
  const server = {
    prefix,
    url: `http://127.0.0.1:${http}/dashboard/`,
    readOnly: `http://127.0.0.1:${http}/readonly/`,
    host: `127.0.0.1:${http}`,
    publish: (name, options) => publish(rtmp, name, options),
    play: (name) => play(rtmp, name),
    log: () => readFileSync(join(prefix, "logs/error.log"), "utf8"),
    stop: async () => {
      await stop(started, "SIGQUIT");
      rmSync(prefix, { recursive: true });
    },
  };
  for (let tries = 0; !(await fetch(server.url).catch(() => null)); tries++) {
    if (tries > 100 || started.exitCode !== null) throw new Error("nginx did not start");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return server;
}

function configuration({ module, prefix, rtmp, http }) {
  const user = process.getuid() === 0 ? "user root;" : "";
  return `load_module ${module}; ${user} worker_processes 2; pid nginx.pid; error_log logs/error.log info;
    events {}
    rtmp { access_log off; server { listen 127.0.0.1:${rtmp};
      application live {
        live on;
        hls on; hls_path ${prefix}/hls; hls_fragment 1s; hls_nested on;
        recorder tape { record all manual; record_path ${prefix}/rec; record_unique on; }
      } } }
    http {
      access_log off; client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp;
      scgi_temp_path tmp;
      server { listen 127.0.0.1:${http};
        location /dashboard/ { rtmp_dashboard; rtmp_control all; }
        location /readonly/ { rtmp_dashboard; }
      } }`;
}

/** Publishes a test picture; without `sound` it ends after a second, `gop` is in pictures of 25 a second. */
function publish(port, name, { sound = true, gop = 25 } = {}) {
  const tone = `sine=frequency=330${sound ? "" : ":duration=1"}`;
  const client = spawn("ffmpeg", [
    "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-re", "-f", "lavfi", "-i", tone,
    "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", String(gop),
    "-sc_threshold", "0", "-c:a", "aac", "-flush_packets", "1", "-f", "flv", "-rtmp_app", "live", "-rtmp_playpath", name,
    `rtmp://127.0.0.1:${port}/`,
  ], { stdio: "ignore" });
  return { stop: () => stop(client), ended: new Promise((resolve) => client.once("exit", resolve)) };
}

function play(port, name) {
  const arguments_ = ["-nostdin", "-loglevel", "error", "-i", `rtmp://127.0.0.1:${port}/live/${name}`, "-c", "copy", "-f", "null", "-"];
  const client = spawn("ffmpeg", arguments_, { stdio: "ignore" });
  return { stop: () => stop(client) };
}

async function stop(child, signal = "SIGTERM") {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
  await ended;
  clearTimeout(timer);
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
