// What a page looks like, measured; read by page_checks.py, which calls one of the functions.
"use strict";

/** Text that is seen: each node with its size in screen pixels and its contrast. */
function texts() {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const element = node.parentElement;
    if (!node.data.trim() || !isSeen(node, element)) continue;
    const style = getComputedStyle(element);
    const drawn = element.closest("svg text");
    const ground = background(element);
    const ink = over(parse(drawn ? style.fill : style.color), ground);
    const [one, other] = [luminance(ink), luminance(ground)];
    found.push({
      text: node.data.trim().slice(0, 40),
      size: drawn ? drawnSize(drawn) : parseFloat(style.fontSize),
      drawn: Boolean(drawn),
      contrast: (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05),
    });
  }
  return found;
}

function isSeen(node, element) {
  if (element.closest("script, style, title, desc, .hidden")) return false;
  const options = { visibilityProperty: true, contentVisibilityAuto: true };
  if (!element.checkVisibility(options)) return false;
  const head = element.closest("thead");
  if (head && getComputedStyle(head).clipPath !== "none") return false; // for screen readers only
  const range = document.createRange();
  range.selectNodeContents(node);
  return range.getBoundingClientRect().width > 0;
}

/** Size of a text of a figure; an exponent counts with the number it belongs to. */
function drawnSize(text) {
  const parts = text.children.length ? [...text.querySelectorAll("tspan")] : [text];
  const sizes = parts.map((part) => parseFloat(getComputedStyle(part).fontSize));
  const matrix = text.getScreenCTM();
  return Math.max(...sizes) * Math.hypot(matrix.a, matrix.b);
}

function background(element) {
  const layers = [];
  for (let each = element; each; each = each.parentElement) {
    layers.unshift(parse(getComputedStyle(each).backgroundColor));
  }
  return layers.reduce((below, layer) => over(layer, below), [255, 255, 255]);
}

function parse(color) {
  const [red, green, blue, alpha = 1] = color.match(/[\d.]+/g).map(Number);
  return [red, green, blue, alpha];
}

function over(layer, below) {
  return below.map((value, i) => layer[i] * layer[3] + value * (1 - layer[3]));
}

function luminance(color) {
  const [red, green, blue] = color.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Elements that reach over the right edge and do not scroll in a box of their own. */
function overflow() {
  const root = document.documentElement;
  const wide = [...document.body.querySelectorAll("*")]
    .filter((element) => !element.closest("svg, .skip") && element.checkVisibility())
    .filter((element) => element.getBoundingClientRect().right > root.clientWidth + 1)
    .filter((element) => !isBoxed(element.parentElement))
    .map((element) => element.tagName);
  if (root.scrollWidth > root.clientWidth) wide.push("page");
  return wide;
}

function isBoxed(element) {
  if (!element || element === document.body) return false;
  return getComputedStyle(element).overflowX !== "visible" || isBoxed(element.parentElement);
}

/** Ids that stand twice, and references to ids that stand nowhere. */
function ids() {
  const all = [...document.querySelectorAll("[id]")].map((element) => element.id);
  const twice = all.filter((id, place) => all.indexOf(id) !== place);
  const links = [...document.querySelectorAll("[aria-labelledby], [aria-describedby], a[href^='#']")];
  const lost = links
    .flatMap((element) => [
      element.getAttribute("aria-labelledby"),
      element.getAttribute("aria-describedby"),
      element.getAttribute("href")?.slice(1),
    ])
    .filter((id) => id && !document.getElementById(id));
  return [...twice.map((id) => `twice: ${id}`), ...lost.map((id) => `nowhere: ${id}`)];
}
