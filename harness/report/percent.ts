/** 0.9934 * 10,000 is 9,933.999999999998. */
const ROUNDING = 1e-6;

/** `0.9934` as `99.34 %`, and never as `100 %` what is not quite all. */
export function percent(rate: number): string {
  const value = rate * 100;
  if (value === 0 || value === 100) return `${value} %`;
  if (value > 99) return `${Math.min(99.99, Math.floor(value * 100 + ROUNDING) / 100)} %`;
  if (value < 0.01) return "< 0.01 %";
  return `${Number(value.toPrecision(3))} %`;
}
