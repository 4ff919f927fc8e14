// What all parts of the page do with the document. Text from the network becomes text nodes and
// nothing else: no part of the page parses HTML.

/** Sets the text if it is another: what did not change is not laid out, read out or deselected. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Shows or hides. */
export function show(node, shown) {
  if (node.hidden === shown) node.hidden = !shown;
}

/** Sets the attribute if it is another. */
export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** An element with these properties and children, which are nodes or texts. */
export function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

/** A copy of what the `<template>` holds. */
export function copyOf(template) {
  return document.getElementById(template).content.cloneNode(true);
}

/**
 * Makes the children of `parent` those that `items` say, in order, each found again by its key.
 * The item's node is made by `create(item)`, and told of news by `update(node, item)`.
 */
export function keyed(parent, items, keyOf, create, update) {
  const known = (parent.nodesByKey ??= new Map());
  const wanted = new Set(items.map(keyOf));
  for (const [key, node] of known) {
    if (wanted.has(key)) continue;
    node.remove();
    known.delete(key);
  }
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let node = known.get(key);
    if (!node) known.set(key, (node = create(item)));
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
    update(node, item);
  }
}
