'use strict';
// Nothing here is needed to read the page: tables become sortable, the list of packages gets a filter, the map can be entered.
(() => {
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const one = (id) => document.getElementById(id);
  const make = (name, text, type) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text;
    if (type) element.type = type;
    return element;
  };

  // tables ------------------------------------------------------------------------------------------------------------------
  function sort(table, column, head) {
    const number = head.dataset.sort === 'n';
    const before = head.getAttribute('aria-sort');
    const down = before ? before === 'ascending' : number;
    all('th', table).forEach((other) => other.removeAttribute('aria-sort'));
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
    const value = (row) => (number ? +row.cells[column].dataset.v : row.cells[column].textContent);
    const compare = number ? (a, b) => a[0] - b[0] : (a, b) => a[0].localeCompare(b[0], 'en', { numeric: true });
    const rows = [...table.tBodies[0].rows].map((row) => [value(row), row]);
    rows.sort((a, b) => (down ? compare(b, a) : compare(a, b)));
    table.tBodies[0].append(...rows.map((pair) => pair[1]));
  }
  for (const table of all('table[data-sortable]')) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      if (!head.dataset.sort) return;
      const button = make('button', head.textContent, 'button');
      button.className = 'sort';
      head.replaceChildren(button);
      button.addEventListener('click', () => sort(table, column, head));
    });
  }
  for (const input of all('input[data-filter]')) {
    const paragraph = input.closest('p');
    const rows = [...one(input.dataset.filter).tBodies[0].rows].map((row) => [row.textContent.toLowerCase(), row]);
    paragraph.hidden = false;
    input.addEventListener('input', () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const [text, row] of rows) {
        row.hidden = !words.every((word) => text.includes(word));
        if (!row.hidden) shown += 1;
      }
      paragraph.querySelector('output').textContent = words.length ? `${shown} of ${rows.length}` : '';
    });
  }

  // the map -----------------------------------------------------------------------------------------------------------------
  const map = one('map');
  if (!map) return;
  const data = JSON.parse(one('data').textContent);
  const picture = map.firstElementChild;
  const tip = one('tip');
  const HEIGHT = 560;
  const TITLE = 17;
  const OWNERS = 8;
  const state = { group: 'path', colour: 'layer', trail: [] };

  const bytes = (count) => {
    const units = [[1e9, 'GB', 2], [1e6, 'MB', count < 1e8 ? 1 : 0], [1e3, 'kB', 0]];
    for (const [size, unit, digits] of units) if (count >= size) return `${(count / size).toFixed(digits)} ${unit}`;
    return `${count} B`;
  };
  const ownerName = (number) => data.owners[number - 1] || 'no package';
  const layerName = (number) => (data.layers[number - 1] ? `layer ${number}: ${data.layers[number - 1][1]}` : `layer ${number}`);

  // the packages with most bytes have a colour each
  const weights = new Map();
  (function weigh(node) {
    if (node.c) node.c.forEach(weigh);
    else weights.set(node.o, (weights.get(node.o) || 0) + node.b);
  })(data.tree);
  const ranked = [...weights].filter((pair) => pair[0]).sort((a, b) => b[1] - a[1]).map((pair) => pair[0]);
  const classOf = (node) => {
    if (state.colour === 'layer') return data.layers[node.l - 1] ? data.layers[node.l - 1][0] : 'none';
    const rank = ranked.indexOf(node.o);
    return rank >= 0 && rank < OWNERS ? `c${rank}` : node.o ? 'b1' : 'none';
  };

  // the same tree with the layers or the packages as its first level
  function grouped(key) {
    if (key === 'path') return data.tree;
    const field = key === 'layer' ? 'l' : 'o';
    const sums = new Map();
    const leaves = (node) => (node.c ? node.c.forEach(leaves) : sums.set(node[field], (sums.get(node[field]) || 0) + node.b));
    leaves(data.tree);
    const largest = [...sums].sort((a, b) => b[1] - a[1]);
    const own = new Set(largest.slice(0, 40).map((pair) => pair[0]));
    const prune = (node, wanted) => {
      if (!node.c) return wanted(node[field]) ? node : null;
      const children = node.c.map((child) => prune(child, wanted)).filter(Boolean);
      if (!children.length) return null;
      const sum = (name) => children.reduce((total, child) => total + child[name], 0);
      return { ...node, b: sum('b'), f: sum('f'), c: children.sort((a, b) => b.b - a.b) };
    };
    const groups = [...own].map((value) => {
      const part = prune(data.tree, (other) => other === value);
      return { ...part, n: key === 'layer' ? layerName(value) : ownerName(value), [field]: value, g: true, d: true };
    });
    if (largest.length > own.size) {
      groups.push({ ...prune(data.tree, (other) => !own.has(other)), n: 'all others', g: true, d: true });
    }
    return { ...data.tree, c: groups };
  }

  // Bruls, Huizing, van Wijk: Squarified Treemaps (2000)
  function squarify(nodes, x, y, w, h) {
    const total = nodes.reduce((sum, node) => sum + node.b, 0);
    const out = [];
    if (!(total > 0) || w <= 0 || h <= 0) return out;
    const scale = (w * h) / total;
    for (let from = 0; from < nodes.length;) {
      const side = Math.min(w, h);
      let sum = 0;
      let worst = Infinity;
      let to = from;
      for (; to < nodes.length; to += 1) {
        const next = sum + nodes[to].b * scale;
        const ratio = Math.max((side * side * nodes[from].b * scale) / (next * next), (next * next) / (side * side * nodes[to].b * scale));
        if (to > from && ratio > worst) break;
        worst = ratio;
        sum = next;
      }
      const thick = sum / side;
      let at = 0;
      for (const node of nodes.slice(from, to)) {
        const length = (node.b * scale) / thick;
        out.push(w >= h ? [node, x, y + at, thick, length] : [node, x + at, y, length, thick]);
        at += length;
      }
      if (w >= h) { x += thick; w -= thick; } else { y += thick; h -= thick; }
      from = to;
    }
    return out;
  }

  const svg = (name, attributes) => {
    const element = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return element;
  };
  const shown = new WeakMap();
  function draw(into, node, box, above, depth) {
    for (const [child, x, y, w, h] of squarify(node.c.filter((other) => other.b > 0), ...box)) {
      if (w < 2 || h < 2) continue;
      const trail = [...above, child];
      const opened = child.c && depth < 8 && w > 44 && h > TITLE + 16;
      const cell = svg('svg', { x: x.toFixed(1), y: y.toFixed(1), width: w.toFixed(1), height: h.toFixed(1) });
      cell.append(svg('rect', { width: '100%', height: '100%', class: `cell ${opened ? 'dir' : classOf(child)}` }));
      const room = Math.floor((w - 8) / 6.2);
      const name = child.n || 'smaller files';
      if (room >= 3 && h >= 14) {
        const text = svg('text', { x: 4, y: 12 });
        text.textContent = name.length > room ? `${name.slice(0, room - 1)}…` : name;
        cell.append(text);
      }
      if (child.c) {
        cell.classList.add('zoom');
        cell.setAttribute('role', 'button');
        cell.setAttribute('aria-label', `${name}, ${bytes(child.b)}: show it alone`);
        if (depth <= 2) cell.setAttribute('tabindex', '0');
      }
      shown.set(cell, trail);
      into.append(cell);
      if (opened) draw(into, child, [x + 2, y + TITLE, w - 4, h - TITLE - 2], trail, depth + 1);
    }
  }
  const pathOf = (trail) => `/${trail.slice(1).filter((node) => !node.g).map((node) => node.n || 'smaller files').join('/')}`;
  let width = 0;
  function redraw(focus) {
    width = picture.clientWidth;
    picture.replaceChildren();
    const root = state.trail[state.trail.length - 1];
    if (root.c) draw(picture, root, [0, 0, width, HEIGHT], state.trail, 1);
    const trail = one('trail');
    trail.hidden = state.trail.length < 2;
    trail.replaceChildren(...state.trail.map((node, level) => {
      const button = make('button', level ? node.n : 'whole image', 'button');
      if (level === state.trail.length - 1) button.setAttribute('aria-current', 'true');
      button.addEventListener('click', () => enter(state.trail.slice(0, level + 1), true));
      return button;
    }));
    if (focus) (picture.querySelector('[tabindex]') || trail.lastElementChild).focus({ preventScroll: true });
    hide();
  }
  function enter(trail, focus) {
    state.trail = trail;
    redraw(focus);
  }
  function regroup() {
    enter([grouped(state.group)]);
    const item = (name, title) => {
      const line = make('li');
      const key = svg('svg', { class: 'key', 'aria-hidden': 'true' });
      key.append(svg('rect', { class: name, width: '100%', height: '100%', rx: 2 }));
      line.append(key, title);
      return line;
    };
    const rows = state.colour === 'layer'
      ? data.layers.slice(0, 24).map((layer, index) => item(layer[0], `${index + 1} ${layer[1].length > 36 ? `${layer[1].slice(0, 35)}…` : layer[1]}`))
      : [...ranked.slice(0, OWNERS).map((owner, rank) => item(`c${rank}`, ownerName(owner))), item('b1', 'other packages'), item('none', 'no package')];
    one('legend').replaceChildren(...rows);
  }

  // controls
  const controls = one('controls');
  const choice = (title, key, values) => {
    const set = make('fieldset');
    set.append(make('legend', title));
    for (const [value, name] of values) {
      const button = make('button', name, 'button');
      button.setAttribute('aria-pressed', String(state[key] === value));
      button.addEventListener('click', () => {
        state[key] = value;
        all('button', set).forEach((other) => other.setAttribute('aria-pressed', String(other === button)));
        regroup();
      });
      set.append(button);
    }
    return set;
  };
  controls.append(
    choice('Grouped by', 'group', [['path', 'directory'], ['layer', 'layer'], ['owner', 'package']]),
    choice('Coloured by', 'colour', [['layer', 'layer'], ['owner', 'package']]),
  );
  controls.hidden = false;
  picture.removeAttribute('role');

  // tooltip, entering and leaving
  const hide = () => { tip.hidden = true; };
  function show(cell, x, y) {
    const trail = shown.get(cell);
    if (!trail) return hide();
    const node = trail[trail.length - 1];
    const percent = data.tree.b ? `${((node.b * 100) / data.tree.b).toFixed(1)} %` : '';
    tip.replaceChildren(
      make('b', node.g && trail.length === 2 ? node.n : pathOf(trail)),
      `${bytes(node.b)}, ${percent}, ${node.f.toLocaleString('en')} ${node.f === 1 ? 'file' : 'files'}`,
      make('br'), layerName(node.l).slice(0, 120), make('br'), ownerName(node.o),
    );
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = Math.max(8, Math.min(x + 14, document.documentElement.clientWidth - box.width - 8));
    const top = y + 18 + box.height > window.innerHeight ? Math.max(8, y - box.height - 10) : y + 18;
    tip.style.left = `${left}px`;
    tip.style.top = `${top}px`;
  }
  const cellOf = (event) => (event.target instanceof Element ? event.target.closest('#map svg svg') : null);
  picture.addEventListener('pointermove', (event) => show(cellOf(event), event.clientX, event.clientY));
  picture.addEventListener('pointerleave', hide);
  picture.addEventListener('focusin', (event) => {
    const cell = cellOf(event);
    const box = cell && cell.getBoundingClientRect();
    if (box) show(cell, box.left, box.top);
  });
  picture.addEventListener('focusout', hide);
  function open(cell) {
    let trail = shown.get(cell);
    if (trail && !trail[trail.length - 1].c) trail = trail.slice(0, -1);
    if (trail && trail.length > state.trail.length) enter(trail, true);
  }
  picture.addEventListener('click', (event) => open(cellOf(event)));
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && state.trail.length > 1) enter(state.trail.slice(0, -1), true);
    if ((event.key === 'Enter' || event.key === ' ') && map.contains(event.target)) {
      event.preventDefault();
      open(cellOf(event));
    }
  });
  regroup();
  new ResizeObserver(() => { if (picture.clientWidth !== width) redraw(); }).observe(picture);
})();
