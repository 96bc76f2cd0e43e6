const note = document.querySelector("#script");
note.textContent = "The script has run";
note.className = "ran";
