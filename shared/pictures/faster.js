// Makes what mermaidx runs in QuickJS fast enough to be waited for; nothing is drawn otherwise for it. Without
// this a diagram of ten nodes with long labels takes a minute. It is run after mermaidx's own scripts.
(function (plainExec) {
  // 1. QuickJS looks for ^(?:...) at every place of the text, and Mermaid's lexers try a hundred such patterns
  //    for each token. Sticky copies of them look at the first place alone, as other engines do.
  const isAnchored = (source) => {
    if (!source.startsWith("^(?:")) return false;
    let depth = 0, inClass = false;
    for (let i = 1; i < source.length; i++) {
      if (source[i] === "\\") i++;
      else if (source[i] === "[") inClass = true;
      else if (source[i] === "]") inClass = false;
      else if (!inClass && source[i] === "(") depth++;
      else if (!inClass && source[i] === ")" && --depth === 0) return i === source.length - 1;
    }
    return false;
  };
  const sticky = new WeakMap(); // a pattern: its sticky copy, or null where it is of another kind
  const stickyOf = (pattern) => {
    let copy = sticky.get(pattern);
    if (copy === undefined) {
      const fits = (pattern.flags === "" || pattern.flags === "i") && isAnchored(pattern.source);
      copy = fits ? new RegExp(pattern.source, pattern.flags + "y") : null;
      sticky.set(pattern, copy);
    }
    return copy;
  };

  // 2. mermaidx keeps RegExp.$1 and the like, which QuickJS lacks, by copying the text at every match. Here they
  //    are made when somebody reads them.
  let last = null;
  RegExp.prototype.exec = function (text) {
    const copy = stickyOf(this);
    if (copy !== null) {
      copy.lastIndex = 0;
      return plainExec.call(copy, text);
    }
    const found = plainExec.call(this, text);
    if (found !== null) last = found;
    return found;
  };
  const legacy = (name, read) =>
    Object.defineProperty(RegExp, name, { get: () => (last === null ? "" : read(last)), set() {}, configurable: true });
  for (let i = 1; i <= 9; i++) legacy("$" + i, (found) => (found[i] === undefined ? "" : found[i]));
  legacy("$&", (found) => found[0]);
  legacy("$_", (found) => found.input);
  legacy("$`", (found) => found.input.slice(0, found.index));
  legacy("$'", (found) => found.input.slice(found.index + found[0].length));

  // 3. It takes each selector apart anew for every element and every measured text.
  const memo = (make) => {
    const known = new Map();
    return (key) => {
      let found = known.get(key);
      if (found === undefined) known.set(key, (found = make(key)));
      return found;
    };
  };
  // A selector's alternatives, each with the classes and ids that its last compound asks for: most fail by them.
  const alternatives = memo((selector) =>
    __splitTopLevel(selector.trim(), (c) => c === ",").map(([part]) => {
      const chain = __parseComplex(part.trim());
      const last = chain.length === 0 ? "" : chain[chain.length - 1].compound;
      const plain = last.replace(/:not\([^()]*\)|\[[^\]]*\]|:[\w-]+/g, "");
      const named = (mark) => (plain.match(/[#.][\w-]+/g) || []).filter((n) => n[0] === mark).map((n) => n.slice(1));
      return { part: part.trim(), classes: named("."), ids: named("#") };
    }),
  );
  const mayMatch = (element, { classes, ids }) =>
    ids.every((id) => element.getAttribute("id") === id) && classes.every((name) => element.classList.contains(name));
  const firstBelow = (root, selector) => {
    for (const child of root.childNodes) {
      if (child.nodeType !== 1) continue;
      const found = __matches(child, selector) ? child : firstBelow(child, selector);
      if (found) return found;
    }
    return null;
  };
  const isWithin = (element, root) => {
    while (element && element !== root) element = element.parentNode;
    return element === root;
  };
  let sheet = null; // the style sheet that was found last: it is asked for once a property, and stands still

  // 4. It asks every rule for every property. The last rule that matches counts, so they are asked from the end.
  const ruled = new WeakMap(); // the rules: by property, those that set it, from the last on
  const rulesFor = (property) => {
    const rules = __getCssRules();
    let byProperty = ruled.get(rules);
    if (byProperty === undefined) {
      byProperty = memo((name) => rules.filter((rule) => name in rule.decls).reverse());
      ruled.set(rules, byProperty);
    }
    return byProperty(property);
  };

  const known = [typeof __splitTopLevel, typeof __matchesSimple, typeof __getCssRules, typeof __parseComplex];
  if (known.every((kind) => kind === "function")) {
    globalThis.__parseComplex = memo(__parseComplex);
    globalThis.__matches = (element, selector) =>
      alternatives(selector).some((one) => mayMatch(element, one) && __matchesSimple(element, one.part));
    globalThis.__querySelector = (root, selector) => {
      if (selector !== "style") return firstBelow(root, selector);
      if (sheet === null || !isWithin(sheet, root)) sheet = firstBelow(root, selector);
      return sheet;
    };
    globalThis.__resolveCssProp = (element, property) => {
      const rule = rulesFor(property).find((one) => __matches(element, one.selectors));
      return rule === undefined ? null : rule.decls[property];
    };
  }
})(globalThis.__plainExec);
