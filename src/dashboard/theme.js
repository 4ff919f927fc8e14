// Light or dark: as the system has it, unless somebody chose.

const KEY = "ngx-rtmp theme";

export function followTheme(select) {
  const apply = () => (document.documentElement.dataset.theme = select.value);
  select.value = localStorage.getItem(KEY) ?? "";
  apply();
  select.addEventListener("change", () => {
    localStorage.setItem(KEY, select.value);
    apply();
  });
}
