// A "Copy" button on every command. Without this module the page is complete, only less handy.
const said = document.getElementById("said");

for (const block of document.querySelectorAll("pre[data-copy]")) {
  const code = block.querySelector("code");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy the command for ${block.dataset.copy}`);
  button.addEventListener("click", () => copy(code));
  block.append(button);
}

async function copy(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    said.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code); // no clipboard on plain http: ready for Ctrl-C
    said.textContent = "Selected; press Ctrl-C";
  }
}
