// Numbers, times and dates in words.
export function seconds(value) {
  if (value === null || value === undefined) return "";
  if (value < 60) return `${value.toFixed(1)} s`;
  return clock(value);
}

// 1:02:03, and with tenths below an hour where they are wanted.
export function clock(value, digits = 0) {
  const whole = Math.max(0, value);
  const h = Math.floor(whole / 3600), m = Math.floor((whole % 3600) / 60), s = whole % 60;
  const rest = s.toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return h ? `${h}:${String(m).padStart(2, "0")}:${rest}` : `${m}:${rest}`;
}

export function left(value) {
  if (value === null || value === undefined) return "";
  if (value < 90) return `about ${Math.max(1, Math.round(value))} s left`;
  return value < 5400 ? `about ${Math.round(value / 60)} min left` : `about ${(value / 3600).toFixed(1)} h left`;
}

export function day(iso) {
  if (!iso) return "";
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return "";
  return date.toLocaleString(undefined, { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
}

export function megabytes(bytes) {
  if (bytes && bytes < 1e5) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  return bytes ? `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB` : "";
}

export function number(value) {
  if (value === null || value === undefined) return "–";
  return Number.isInteger(value) ? String(value) : Number(value.toPrecision(4)).toString();
}

export const VIEWS = { room: "room camera", ego: "head camera" };
