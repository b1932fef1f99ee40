// The backend of the chat page: serves the page from disk, signs channel
// subscriptions and triggers events. Node's standard library only.
import { createHash, createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";

const env = process.env;
const app = {
  id: env.PIPESOCKETD_APP_ID ?? "1001",
  key: env.PIPESOCKETD_APP_KEY ?? "app-key",
  secret: env.PIPESOCKETD_APP_SECRET ?? "app-secret",
};
const pipesocketd = new URL(env.PIPESOCKETD_URL ?? "http://127.0.0.1:6001");
const port = Number(env.PORT ?? 8000);

const files = {
  "/": ["index.html", "text/html; charset=utf-8"],
  "/style.css": ["style.css", "text/css; charset=utf-8"],
  "/chat.js": ["chat.js", "text/javascript; charset=utf-8"],
  "/pusher.js": ["node_modules/pusher-js/dist/web/pusher.min.js", "text/javascript; charset=utf-8"],
};

const sign = (text) => createHmac("sha256", app.secret).update(text).digest("hex");

// What a real backend does here first: find out who is asking, and whether they
// may. This example believes the name that the page sends.
function authorize({ socket_id: socket, channel_name: channel, user_id: id, name }) {
  if (!/^\d+\.\d+$/.test(socket) || !["private-chat", "presence-chat"].includes(channel)) return null;
  if (channel === "private-chat") return { auth: `${app.key}:${sign(`${socket}:${channel}`)}` };
  const data = JSON.stringify({ user_id: id, user_info: { name } });
  return { auth: `${app.key}:${sign(`${socket}:${channel}:${data}`)}`, channel_data: data };
}

async function trigger(channel, name, data) {
  const body = JSON.stringify({ name, channel, data: JSON.stringify(data) });
  const path = `/apps/${app.id}/events`;
  const query = `auth_key=${app.key}&auth_timestamp=${Math.floor(Date.now() / 1000)}&auth_version=1.0` +
    `&body_md5=${createHash("md5").update(body).digest("hex")}`;
  const signature = sign(`POST\n${path}\n${query}`);
  const answer = await fetch(new URL(`${path}?${query}&auth_signature=${signature}`, pipesocketd), { method: "POST", body });
  if (!answer.ok) throw new Error(`trigger: ${answer.status} ${await answer.text()}`);
}

async function readForm(request) {
  let text = "";
  for await (const chunk of request) {
    text += chunk;
    if (text.length > 16_384) throw new Error("the form is too large");
  }
  return Object.fromEntries(new URLSearchParams(text));
}

async function answer(request, reply) {
  const send = (status, body, type = "application/json") => reply.writeHead(status, { "Content-Type": type }).end(body);
  const { pathname } = new URL(request.url, "http://localhost");
  const route = `${request.method} ${pathname}`;
  if (request.method === "GET" && files[pathname]) {
    const [name, type] = files[pathname];
    return send(200, await readFile(new URL(name, import.meta.url)), type);
  }
  if (route === "GET /config.json") {
    const tls = pipesocketd.protocol === "https:";
    return send(200, JSON.stringify({ key: app.key, host: pipesocketd.hostname, port: Number(pipesocketd.port) || (tls ? 443 : 80), tls }));
  }
  if (route === "POST /auth") {
    const authorization = authorize(await readForm(request));
    return send(authorization ? 200 : 403, JSON.stringify(authorization ?? { error: "not allowed" }));
  }
  if (route === "POST /message" || route === "POST /announcement") {
    const { name, text } = await readForm(request);
    const [channel, event] = route === "POST /message" ? ["private-chat", "message"] : ["announcements", "notice"];
    await trigger(channel, event, { name, text });
    return send(200, "{}");
  }
  return send(404, '{"error":"not found"}');
}

createServer((request, reply) => {
  answer(request, reply).catch((error) => {
    console.error(error.message);
    reply.writeHead(502, { "Content-Type": "application/json" }).end(JSON.stringify({ error: error.message }));
  });
}).listen(port, "127.0.0.1", () => console.log(`chat: open http://127.0.0.1:${port}`));
