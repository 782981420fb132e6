// Tabs as the ARIA practices describe them: arrows move, the address keeps the choice.

/**
 * The document hears "tabchange" when another panel is shown.
 * @param opened called with a panel's id each time it is shown
 */
export function tabs(list, opened) {
  const all = [...list.querySelectorAll("[role=tab]")];
  const panel = (tab) => document.getElementById(tab.getAttribute("aria-controls"));

  function choose(tab, focus) {
    const isOther = panel(tab).hidden;
    for (const other of all) {
      const chosen = other === tab;
      other.setAttribute("aria-selected", String(chosen));
      other.tabIndex = chosen ? 0 : -1;
      panel(other).hidden = !chosen;
    }
    if (focus) tab.focus();
    history.replaceState(null, "", `#${panel(tab).id}`);
    if (isOther) document.dispatchEvent(new Event("tabchange"));
    opened(panel(tab).id);
  }

  for (const [i, tab] of all.entries()) {
    tab.addEventListener("click", () => choose(tab, false));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: all.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      choose(all[(to + all.length) % all.length], true);
    });
  }
  const named = () => all.find((tab) => `#${panel(tab).id}` === location.hash);
  window.addEventListener("hashchange", () => named() && choose(named(), false));
  choose(named() ?? all[0], false);
}
