// Asks before something is done that cannot be undone.

import { setText } from "./dom.js";

/** Whether the answer is yes. */
export function confirmed({ title, text, button }) {
  const dialog = document.getElementById("question");
  setText(dialog.querySelector("h2"), title);
  setText(dialog.querySelector("p"), text);
  setText(dialog.querySelector(".danger"), button);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
