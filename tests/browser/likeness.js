// Compare two pictures by the mean colors of their cells.
const [shot, kept, columns, rows, tolerance, done] = arguments;
const [WIDE, HIGH] = [480, 300];

async function cells(data) {
  const image = new Image();
  image.src = `data:image/png;base64,${data}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [WIDE, HIGH];
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.imageSmoothingQuality = "high";
  pen.drawImage(image, 0, 0, WIDE, HIGH);
  const means = [];
  for (let cell = 0; cell < columns * rows; cell += 1) {
    const left = ((cell % columns) * WIDE) / columns;
    const top = (Math.floor(cell / columns) * HIGH) / rows;
    const { data: pixels } = pen.getImageData(left, top, WIDE / columns, HIGH / rows);
    const mean = [0, 0, 0];
    pixels.forEach((value, place) => {
      if (place % 4 < 3) mean[place % 4] += (value * 4) / pixels.length;
    });
    means.push(mean);
  }
  return { small: canvas.toDataURL("image/png").split(",")[1], means };
}

const differ = (left, right) => left.some((value, color) => Math.abs(value - right[color]) > tolerance);

(async () => {
  const now = await cells(shot);
  const before = kept ? await cells(kept) : now;
  const other = now.means.filter((mean, cell) => differ(mean, before.means[cell]));
  done({ small: now.small, share: other.length / now.means.length });
})();
