// What there is to see while nothing is published: where to publish to.

import { element, keyed, setText, show } from "./dom.js";

const APPLICATIONS = 5;

export class Empty {
  #place = document.getElementById("empty");
  #tools = document.getElementById("tools");

  update(server, isEmpty) {
    show(this.#place, isEmpty);
    show(this.#tools, !isEmpty);
    if (!isEmpty) return;
    const addresses = addressesOf(server).slice(0, APPLICATIONS);
    keyed(document.getElementById("addresses"), addresses, (it) => it, createAddress, () => {});
  }
}

/** The server does not know by which name it is reached; the page does. */
function addressesOf({ servers }) {
  const live = servers.flatMap((it) => it.applications).filter((it) => it.live);
  return live.map(({ name }) => `rtmp://${location.hostname}/${name}`);
}

function createAddress(address) {
  const button = element("button", { type: "button", textContent: "Copy", ariaLabel: `Copy ${address}` });
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(address).then(() => setText(button, "Copied"), () => {});
    setTimeout(() => setText(button, "Copy"), 2000);
  });
  return element("div", {}, element("dt", { textContent: "Server" }), element("dd", {}, element("code", { textContent: address }), button));
}
