// Where to publish and where to play, and the buttons that copy it.

/** Reads from the server what the page cannot know: {rtmpPort, application}. */
export async function serverConfig() {
  const response = await fetch("config.json", { cache: "no-store" });
  return response.json();
}

/** The address to give an encoder as its "server". */
export function rtmpServer({ rtmpPort, application }) {
  return `rtmp://${location.hostname}:${rtmpPort}/${application}`;
}

/** A command that publishes a file under `key`. */
export function ffmpegCommand(server, key) {
  return `ffmpeg -re -i video.mp4 -c:v libx264 -preset veryfast -g 60 -c:a aac -f flv ${server}/${key}`;
}

/** A stream key that needs no quoting in a shell, an address or a file name. */
export function plainKey(text) {
  return text.trim().replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^\./, "-") || "studio";
}

/** Makes every button with `data-copy="ID"` copy the text or value of that element. */
export function wireCopyButtons() {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.addEventListener("click", () => copy(button, document.getElementById(button.dataset.copy)));
  }
}

async function copy(button, element) {
  select(element);
  const copied = await writeClipboard(element.value ?? element.textContent);
  const label = button.firstChild;
  label.data = copied ? "Copied" : "Selected";
  setTimeout(() => (label.data = "Copy"), 2000);
}

function select(element) {
  if (element.select) element.select();
  else getSelection().selectAllChildren(element);
}

// Without https there is no navigator.clipboard except on localhost; the old way copies the
// selection, and where that fails too the text is at least selected.
async function writeClipboard(text) {
  try {
    if (!navigator.clipboard) return document.execCommand("copy");
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
