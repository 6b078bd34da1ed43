// Play, pause and slow all clips together; without this script each clip has the browser's own controls.
(() => {
  const clips = [...document.querySelectorAll("video")];
  const bar = document.querySelector(".controls");
  if (!bar || !clips.length) return;
  const [play, slow] = bar.querySelectorAll("button");
  let running = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  let rate = 1;
  const apply = () => {
    for (const clip of clips) {
      clip.playbackRate = rate;
      running ? clip.play().catch(() => {}) : clip.pause();
    }
    play.textContent = running ? "Pause" : "Play";
    slow.textContent = rate === 1 ? "Slow" : "Full speed";
  };
  for (const clip of clips) clip.controls = false;
  play.onclick = () => { running = !running; apply(); };
  slow.onclick = () => { rate = rate === 1 ? 0.25 : 1; apply(); };
  bar.hidden = false;
  apply();
})();
