// What a person or a screen reader finds on the page, as plain values.  Hidden things are left out.
() => {
  const clean = t => (t || "").replace(/\s+/g, " ").trim();
  const shown = e => e.checkVisibility ? e.checkVisibility({ visibilityProperty: true }) : e.offsetParent !== null;
  const named = ids => clean(ids.split(/\s+/).map(i => document.getElementById(i)?.textContent ?? "").join(" "));
  const labelText = l => {
    const copy = l.cloneNode(true);
    copy.querySelectorAll("input, select, textarea, button").forEach(c => c.remove());
    return clean(copy.textContent);
  };
  const nameOf = e => {
    if (e.getAttribute("aria-labelledby")) return named(e.getAttribute("aria-labelledby"));
    if (e.getAttribute("aria-label")) return clean(e.getAttribute("aria-label"));
    if (e.labels && e.labels.length) return clean([...e.labels].map(labelText).join(" "));
    if (e.tagName === "FIELDSET") return clean(e.querySelector(":scope > legend")?.textContent);
    return clean(e.getAttribute("title"));
  };
  const above = (e, what) => {
    const found = [];
    for (let p = e.parentElement; p; p = p.parentElement) if (p.matches(what) && nameOf(p)) found.unshift(nameOf(p));
    return found;
  };
  const kindOf = e => e.tagName === "INPUT" ? (e.type || "text") : e.tagName.toLowerCase();
  const controls = [...document.querySelectorAll("input, select, textarea")]
    .filter(e => !["hidden", "submit", "button", "image", "reset"].includes(e.type) && shown(e))
    .map(e => {
      const box = e.getBoundingClientRect();
      const kind = kindOf(e);
      return {
        kind, label: nameOf(e), groups: above(e, "fieldset, [role=group], [role=radiogroup]"), name: e.name || "",
        value: kind === "select" ? clean(e.selectedOptions[0]?.textContent)
          : (kind === "radio" || kind === "checkbox") ? (e.checked ? "on" : "") : kind === "password" ? "" : e.value,
        options: kind === "select" ? [...e.options].map(o => clean(o.textContent)) : [],
        required: e.required || e.getAttribute("aria-required") === "true", enabled: !e.disabled && !e.readOnly,
        box: [box.x + scrollX, box.y + scrollY, box.width, box.height],
      };
    });
  const texts = what => [...document.querySelectorAll(what)].filter(shown).map(e => clean(e.textContent)).filter(Boolean);
  const facts = [];
  for (const dl of document.querySelectorAll("dl")) {
    const region = above(dl, "section, [role=region]").pop() || "";
    for (const dt of dl.querySelectorAll("dt")) {
      const dd = dt.nextElementSibling;
      if (dd && dd.tagName === "DD") facts.push([region, clean(dt.textContent), clean(dd.textContent)]);
    }
  }
  for (const row of document.querySelectorAll("tr")) {
    const head = row.querySelector("th[scope=row]"), cells = row.querySelectorAll("td");
    if (head && cells.length === 1 && !cells[0].querySelector("input, select, textarea"))
      facts.push([above(row, "section, [role=region]").pop() || "", clean(head.textContent), clean(cells[0].textContent)]);
  }
  return {
    complete: document.readyState === "complete", title: clean(document.title), headings: texts("h1"), status: texts("[role=status], output"),
    alerts: texts("[role=alert]"), controls, facts,
    links: [...document.querySelectorAll("a[href]")].filter(shown).map(e => nameOf(e) || clean(e.textContent)),
    buttons: [...document.querySelectorAll("button, input[type=submit]")].filter(shown)
      .map(e => nameOf(e) || clean(e.textContent) || e.value),
  };
}
