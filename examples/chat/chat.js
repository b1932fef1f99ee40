// Four things a channel can do, on one page:
//   announcements   public: anyone may subscribe
//   private-chat    private: the backend signs each subscription
//   presence-chat   presence: also tells who is there
//   client-typing   client event: goes from page to page without the backend

const $ = (id) => document.getElementById(id);
const me = { id: crypto.randomUUID(), name: "" };

$("name").value = sessionStorage.getItem("name") ?? "";
$("name").focus();
$("join").addEventListener("submit", async (event) => {
  event.preventDefault();
  me.name = $("name").value.trim();
  if (!me.name) return;
  sessionStorage.setItem("name", me.name);
  $("join").hidden = true;
  $("room").hidden = false;
  $("text").focus();
  start(await (await fetch("config.json")).json());
});

function start({ key, host, port, tls }) {
  const pusher = new Pusher(key, {
    cluster: "", // must be there, is not used
    wsHost: host,
    wsPort: port,
    wssPort: port,
    forceTLS: tls,
    enabledTransports: ["ws", "wss"],
    channelAuthorization: { endpoint: "auth", params: { user_id: me.id, name: me.name } },
  });
  pusher.connection.bind("state_change", ({ current }) => showStatus(current));
  showStatus(pusher.connection.state);

  pusher.subscribe("announcements").bind("notice", ({ name, text }) => addLine($("notices"), name, text));
  pusher.subscribe("private-chat").bind("message", ({ name, text }) => {
    addLine($("messages"), name, text);
    doneTyping(name);
  });

  const presence = pusher.subscribe("presence-chat");
  const showMembers = () => listMembers(presence.members);
  presence.bind("pusher:subscription_succeeded", showMembers);
  presence.bind("pusher:member_added", showMembers);
  presence.bind("pusher:member_removed", ({ id }) => {
    typing.delete(id);
    showTyping();
    showMembers();
  });
  // The server adds user_id, so nobody can type in somebody else's name.
  presence.bind("client-typing", (_data, { user_id: id }) => {
    const member = presence.members.get(id);
    if (member) sawTyping(id, nameOf(member));
  });
  for (const name of ["private-chat", "presence-chat"]) {
    pusher.channel(name).bind("pusher:subscription_error", ({ error, status }) => {
      $("fault").textContent = `${name} was refused: ${error ?? status}`;
    });
  }

  $("text").addEventListener("input", () => {
    if (Date.now() - lastTyping < 1000 || !presence.subscribed) return;
    lastTyping = Date.now();
    presence.trigger("client-typing", {});
  });
  $("send").addEventListener("submit", send);
}

let lastTyping = 0; // one note a second is enough; the next message starts anew

async function send(event) {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  const path = event.submitter?.name === "announce" ? "announcement" : "message";
  const answer = await fetch(path, { method: "POST", body: new URLSearchParams({ name: me.name, text }) });
  $("fault").textContent = answer.ok ? "" : `Not sent: ${(await answer.json()).error}`;
  if (answer.ok) {
    $("text").value = "";
    lastTyping = 0;
  }
  $("text").focus();
}

function showStatus(state) {
  $("status").textContent = state;
  $("status").dataset.state = state;
}

function addLine(list, name, text) {
  const line = document.createElement("li");
  const who = document.createElement("strong");
  const when = document.createElement("time");
  const now = new Date();
  who.textContent = name;
  when.textContent = now.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  when.dateTime = now.toISOString();
  line.append(who, " ", when, document.createElement("br"), text);
  list.append(line);
  while (list.children.length > 200) list.firstElementChild.remove();
  list.scrollTop = list.scrollHeight;
}

// Others may join the channel without telling a name.
function nameOf({ id, info }) {
  return info?.name ?? id;
}

function listMembers(members) {
  const lines = [];
  members.each(({ id, info }) => {
    const line = document.createElement("li");
    line.textContent = nameOf({ id, info }) + (id === members.me?.id ? " (you)" : "");
    lines.push(line);
  });
  lines.sort((a, b) => a.textContent.localeCompare(b.textContent));
  $("members").replaceChildren(...lines);
}

const typing = new Map(); // user id → name and the timer that forgets it

function sawTyping(id, name) {
  clearTimeout(typing.get(id)?.timer);
  const timer = setTimeout(() => {
    typing.delete(id);
    showTyping();
  }, 2500);
  typing.set(id, { name, timer });
  showTyping();
}

function doneTyping(name) {
  for (const [id, writer] of typing) {
    if (writer.name === name) typing.delete(id);
  }
  showTyping();
}

function showTyping() {
  const names = [...typing.values()].map(({ name }) => name);
  const verb = names.length > 1 ? "are" : "is";
  $("typing").textContent = names.length ? `${new Intl.ListFormat("en").format(names)} ${verb} typing …` : "";
}
