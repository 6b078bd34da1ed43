// Thumbnails where the codes lie; scroll zooms, a drag moves, a click shows the clip.
(() => {
  const clips = JSON.parse(document.getElementById("clips").textContent);
  const map = document.getElementById("map");
  const byNumber = new Map(clips.map((clip) => [clip.number, clip]));
  const view = { zoom: 1, x: 0, y: 0 };
  const name = (clip) => clip.caption || `clip ${clip.number}`;

  const thumbnail = (clip) => {
    const button = document.createElement("button");
    const image = document.createElement("img");
    button.type = "button";
    button.title = name(clip);
    button.setAttribute("aria-label", `${clip.number}: ${name(clip)}`);
    image.src = clip.thumb;
    image.alt = "";
    image.draggable = false;
    button.append(image);
    button.onclick = () => show(clip);
    return button;
  };

  const show = (clip) => {
    for (const other of clips) other.button.setAttribute("aria-pressed", String(other === clip));
    const film = document.getElementById("film");
    film.src = clip.film;
    film.alt = name(clip);
    document.getElementById("caption").textContent = name(clip);
    document.getElementById("number").textContent = `clip ${clip.number}`;
    document.getElementById("near").replaceChildren(
      ...clip.near.filter((n) => byNumber.has(n)).map((n) => thumbnail(byNumber.get(n)))
    );
  };

  const place = () => {
    const pad = 34, width = map.clientWidth - 2 * pad, height = map.clientHeight - 2 * pad;
    for (const clip of clips) {
      clip.button.style.left = `${pad + width * (0.5 + (clip.x - 0.5) * view.zoom) + view.x}px`;
      clip.button.style.top = `${pad + height * (0.5 + (0.5 - clip.y) * view.zoom) + view.y}px`;
    }
  };

  map.addEventListener("wheel", (event) => {
    event.preventDefault();
    const zoom = Math.min(40, Math.max(0.5, view.zoom * Math.exp(-event.deltaY / 400)));
    const box = map.getBoundingClientRect(), factor = zoom / view.zoom;
    const x = event.clientX - box.left - box.width / 2, y = event.clientY - box.top - box.height / 2;
    view.x = x - (x - view.x) * factor;
    view.y = y - (y - view.y) * factor;
    view.zoom = zoom;
    place();
  }, { passive: false });

  let from = null;
  map.addEventListener("pointerdown", (event) => {
    if (event.target === map) {
      from = { x: event.clientX - view.x, y: event.clientY - view.y };
      map.setPointerCapture(event.pointerId);
      map.classList.add("moving");
    }
  });
  map.addEventListener("pointermove", (event) => {
    if (!from) return;
    view.x = event.clientX - from.x;
    view.y = event.clientY - from.y;
    place();
  });
  const stop = () => { from = null; map.classList.remove("moving"); };
  map.addEventListener("pointerup", stop);
  map.addEventListener("pointercancel", stop);

  for (const clip of clips) {
    clip.button = thumbnail(clip);
    map.append(clip.button);
  }
  addEventListener("resize", place);
  place();
  show(clips[0]);
})();
