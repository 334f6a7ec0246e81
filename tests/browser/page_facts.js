// What a page is for somebody who cannot see it, sees little of it, or has no mouse. Evaluated in the page; leaves `focused`.
(() => {
  const shown = (element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
  const all = (selector) => [...document.querySelectorAll(selector)];
  const colour = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, below) => ({
    r: top.r * top.a + below.r * (1 - top.a),
    g: top.g * top.a + below.g * (1 - top.a),
    b: top.b * top.a + below.b * (1 - top.a),
    a: 1,
  });
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(colour(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), { r: 255, g: 255, b: 255, a: 1 });
  };
  const light = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ratio = (text, below) => {
    const [dark, bright] = [light(over(colour(text), below)), light(below)].sort((a, b) => a - b);
    return (bright + 0.05) / (dark + 0.05);
  };
  const contrast = (element) => ratio(getComputedStyle(element).color, ground(element));
  const edge = (element) => ratio(getComputedStyle(element).borderTopColor, ground(element.parentElement));
  const says = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  const name = (element) => `${element.className || element.tagName} ${(element.textContent || element.name || "").trim().slice(0, 30)}`;
  const usable = all("a[href], button, input:not([type=hidden]), select, textarea").filter(shown);
  window.focused = () => {
    const element = document.activeElement;
    if (!usable.includes(element)) return { place: "nothing", outline: true };
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    return { place: `${name(element)} ${usable.indexOf(element)}`, outline: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 };
  };
  const ids = all("[id]").map((element) => element.id);
  return {
    screen: [window.innerWidth, window.innerHeight, window.devicePixelRatio, matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"],
    lang: document.documentElement.lang,
    title: document.title,
    headings: all("h1").length,
    landmarks: { main: all("main").length, header: all("body > header").length },
    without_label: [
      ...all("input:not([type=hidden]), select, textarea").filter((field) => !field.labels.length && !field.ariaLabel),
      ...all("img:not([alt])"),
      ...all("button, a[href]").filter((one) => !one.textContent.trim() && !one.ariaLabel),
    ].map(name),
    low_contrast: [
      ...all("body *").filter((one) => shown(one) && says(one) && contrast(one) < 4.5).map((one) => `${name(one)} ${contrast(one).toFixed(1)}`),
      ...all(".button.quiet, input:not([type=hidden])").filter((one) => shown(one) && edge(one) < 3).map((one) => `edge ${name(one)} ${edge(one).toFixed(1)}`),
    ],
    too_small: usable.filter((one) => one.getBoundingClientRect().height < 24 || one.getBoundingClientRect().width < 24).map(name),
    overflows: document.documentElement.scrollWidth > window.innerWidth,
    double_ids: ids.filter((id, at) => ids.indexOf(id) !== at),
    dangling: all("[aria-describedby], [aria-labelledby], label[for]")
      .flatMap((one) => [one.getAttribute("aria-describedby"), one.getAttribute("aria-labelledby"), one.getAttribute("for")])
      .filter((id) => id && !document.getElementById(id)),
    first: usable.length ? name(usable[0]) : "",
    reachable: usable.length,
  };
})();
