"""The login page for clients that cannot log in by themselves: it calls `window.matrixLogin.onLogin` with the reply.

Source: client-server API, "Login Fallback".
"""

from typing import Final

PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in</title>
<style>
body { font: 17px/1.5 system-ui, sans-serif; color: #1c2430; background: #f4f6f8; margin: 0 }
main { max-width: 24em; margin: 10vh auto; padding: 2em; background: #fff; border-radius: 14px }
h1 { font-size: 1.3em; margin-top: 0 }
label { display: block; margin: 1em 0 }
input { display: block; box-sizing: border-box; width: 100%; font: inherit; padding: .5em; margin-top: .3em }
button { font: inherit; padding: .5em 1.5em }
#message { color: #a32020; min-height: 1.5em }
</style>
</head>
<body><main>
<h1>Log in</h1>
<form id="login">
<label>User name<input name="user" autocomplete="username" autocapitalize="none" required></label>
<label>Password<input name="password" type="password" autocomplete="current-password" required></label>
<p id="message" role="alert"></p>
<button>Log in</button>
</form>
<script>
"use strict";
const form = document.getElementById("login");
const message = document.getElementById("message");
const query = new URLSearchParams(window.location.search);
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  message.textContent = "";
  const wanted = {
    type: "m.login.password",
    identifier: { type: "m.id.user", user: form.elements.user.value.trim() },
    password: form.elements.password.value,
  };
  for (const key of ["device_id", "initial_device_display_name"]) {
    if (query.get(key)) { wanted[key] = query.get(key); }
  }
  try {
    const response = await fetch("/_matrix/client/v3/login", { method: "POST", body: JSON.stringify(wanted) });
    const answer = await response.json();
    if (!response.ok) { throw new Error(answer.error || response.statusText); }
    form.hidden = true;
    if (window.matrixLogin && window.matrixLogin.onLogin) { window.matrixLogin.onLogin(answer); }
    else if (window.onLogin) { window.onLogin(answer); }
    else { document.querySelector("h1").textContent = "You are logged in as " + answer.user_id; }
  } catch (error) {
    message.textContent = error.message;
  }
});
</script>
</main></body>
</html>
"""
