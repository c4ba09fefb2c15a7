// Two people with matrix-js-sdk: rooms, 200 messages, state, typing, receipts, history, logging out and in again.
// Usage: node scenario.mjs URL FILE. Writes JSON to the file: the requests of a start, and all requests of both people.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { Direction, EventType, NotificationCountType, Preset, Visibility } from "matrix-js-sdk";
import { Person, refusal } from "./person.mjs";

const ROUNDS = 100;

async function main(url, file) {
    const alice = new Person(url, "alice");
    const bob = new Person(url, "bob");
    await register(alice, bob);
    await alice.start();
    const start = [...alice.requests];
    await askAsElementDoes(alice);
    const questions = alice.requests.slice(start.length);
    await bob.start();
    const roomId = await meet(alice, bob);
    await meetInPublic(alice, bob);
    await chat(alice, bob, roomId);
    await editState(alice, bob, roomId);
    await type(alice, bob, roomId);
    await read(alice, bob, roomId);
    const history = await pageBack(alice, roomId);
    const again = await comeBack(alice, bob, roomId, history);
    alice.client.stopClient();
    const all = [alice, bob, again].flatMap((person) => person.requests);
    await writeFile(file, JSON.stringify({ start, questions, all }));
}

async function register(...people) {
    for (const person of people) {
        await person.register();
        assert.equal((await person.client.whoami()).user_id, person.userId);
        person.requests.length = 0;
    }
}

// What Element asks for beside the start of the library. Some of it may be refused, but with an error of Matrix.
async function askAsElementDoes(alice) {
    const { client } = alice;
    const asked = {
        loginFlows: client.loginFlows(),
        authMetadata: client.getAuthMetadata(),
        capabilities: client.getCapabilities(),
        devices: client.getDevices(),
        mediaConfig: client.getMediaConfig(true),
        oldMediaConfig: client.getMediaConfig(),
        profile: client.getProfileInfo(alice.userId),
        pushers: client.getPushers(),
        pushRules: client.getPushRules(),
        thirdpartyProtocols: client.getThirdpartyProtocols(),
        threePids: client.getThreePids(),
        turnServer: client.turnServer(),
        backupVersion: client.http.authedRequest("GET", "/room_keys/version"),
    };
    const answers = Object.fromEntries(
        await Promise.all(
            Object.entries(asked).map(async ([name, answer]) => [name, await answer.catch((error) => error)]),
        ),
    );
    const mayBeRefused = new Set(["authMetadata", "backupVersion"]);
    for (const [name, answer] of Object.entries(answers)) {
        assert.ok(mayBeRefused.has(name) || !(answer instanceof Error), `${name}: ${answer}`);
    }
    assert.ok(answers.loginFlows.flows.some((flow) => flow.type === "m.login.password"));
    assert.equal(answers.backupVersion.errcode, "M_NOT_FOUND");
    assert.deepEqual(answers.threePids.threepids, []);
    assert.deepEqual(answers.pushers.pushers, []);
}

// A private room: Bob is invited and joins; members are loaded lazily.
async function meet(alice, bob) {
    const options = { name: "Kitchen", topic: "Food", invite: [bob.userId], is_direct: true };
    const { room_id: roomId } = await alice.client.createRoom({ ...options, preset: Preset.PrivateChat });
    await bob.until(() => bob.room(roomId)?.getMyMembership() === "invite", "an invitation");
    assert.equal(bob.room(roomId).name, "Kitchen");
    await bob.client.joinRoom(roomId);
    await bob.until(() => bob.room(roomId).getMyMembership() === "join", "a room that he joined");
    await alice.until(() => alice.room(roomId)?.getMember(bob.userId)?.membership === "join", "Bob's join");
    await bob.until(() => topicOf(bob, roomId) === "Food", "the topic");
    await bob.room(roomId).loadMembersIfNeeded();
    const members = bob.room(roomId).getJoinedMembers().map((member) => member.userId);
    assert.deepEqual(members.sort(), [alice.userId, bob.userId]);
    return roomId;
}

// A public room: Bob finds it by its alias, joins, and leaves.
async function meetInPublic(alice, bob) {
    const options = { name: "Square", room_alias_name: "square", visibility: Visibility.Public };
    const { room_id: roomId } = await alice.client.createRoom({ ...options, preset: Preset.PublicChat });
    const alias = `#square:${bob.userId.split(":").slice(1).join(":")}`;
    assert.equal((await bob.client.getRoomIdForAlias(alias)).room_id, roomId);
    await bob.client.joinRoom(alias);
    await bob.until(() => bob.room(roomId)?.getMyMembership() === "join", "the public room");
    await alice.say(roomId, "hello all");
    await bob.untilLast(roomId, "hello all");
    await bob.client.leave(roomId);
    await bob.until(() => bob.room(roomId).getMyMembership() === "leave", "the end of the public room");
    await alice.until(() => alice.room(roomId).getMember(bob.userId).membership === "leave", "Bob's leave");
}

// Two hundred messages, each an answer to the one before, each seen by both, once and in order.
async function chat(alice, bob, roomId) {
    const expected = [];
    for (let number = 0; number < ROUNDS; number++) {
        for (const [speaker, listener] of [
            [alice, bob],
            [bob, alice],
        ]) {
            const text = `${speaker.name} ${number}`;
            expected.push(text);
            await speaker.say(roomId, text);
            await listener.untilLast(roomId, text);
        }
    }
    for (const person of [alice, bob]) {
        await person.untilLast(roomId, expected.at(-1));
        assert.deepEqual(person.texts(roomId), expected);
    }
}

// Name, topic, power levels; Bob may change the topic only once he has the power to.
async function editState(alice, bob, roomId) {
    await refusal(bob.client.setRoomTopic(roomId, "Bob's"), 403, "M_FORBIDDEN");
    await alice.client.setRoomName(roomId, "Parlour");
    await alice.client.setPowerLevel(roomId, bob.userId, 50);
    await bob.until(() => bob.room(roomId).getMember(bob.userId).powerLevel === 50, "more power");
    await bob.client.setRoomTopic(roomId, "Tea");
    for (const person of [alice, bob]) {
        await person.until(() => topicOf(person, roomId) === "Tea", "the new topic");
        assert.equal(person.room(roomId).name, "Parlour");
    }
}

function topicOf(person, roomId) {
    return person.room(roomId).currentState.getStateEvents(EventType.RoomTopic, "")?.getContent().topic;
}

async function type(alice, bob, roomId) {
    const isTyping = () => alice.room(roomId).getMember(bob.userId).typing;
    await bob.client.sendTyping(roomId, true, 60_000);
    await alice.until(isTyping, "Bob's typing");
    await bob.client.sendTyping(roomId, false, 0);
    await alice.until(() => !isTyping(), "the end of Bob's typing");
}

// Receipts travel to the others, the read marker to one's own devices, and both settle the unread count.
async function read(alice, bob, roomId) {
    const unread = () => bob.room(roomId).getUnreadNotificationCount(NotificationCountType.Total);
    const isReadByBob = (eventId) => alice.room(roomId).getReadReceiptForUserId(bob.userId, true)?.eventId === eventId;
    let last = await alice.say(roomId, "read me");
    await bob.untilLast(roomId, "read me");
    await bob.client.sendReadReceipt(bob.room(roomId).findEventById(last));
    await alice.until(() => isReadByBob(last), "Bob's receipt");
    await bob.until(() => unread() === 0, "nothing unread");
    for (const text of ["one", "two", "three"]) {
        last = await alice.say(roomId, text);
    }
    await bob.until(() => unread() === 3, "three unread messages");
    await bob.untilLast(roomId, "three");
    await bob.client.setRoomReadMarkers(roomId, last, bob.room(roomId).findEventById(last));
    const marker = () => bob.room(roomId).getAccountData(EventType.FullyRead)?.getContent().event_id;
    await bob.until(() => marker() === last, "the read marker");
    await bob.until(() => unread() === 0, "nothing unread again");
    await alice.until(() => isReadByBob(last), "Bob's second receipt");
}

// The whole history, backwards and forwards, is what sync brought, down to the creation of the room.
async function pageBack(alice, roomId) {
    const backwards = await allPages(alice, roomId, null, Direction.Backward);
    const history = backwards.reverse();
    assert.equal(history[0].type, EventType.RoomCreate);
    const ids = history.map((event) => event.event_id);
    assert.equal(new Set(ids).size, ids.length);
    assert.equal(history.filter((event) => event.type === EventType.RoomMessage).length, 2 * ROUNDS + 4);
    const forwards = await allPages(alice, roomId, null, Direction.Forward);
    assert.deepEqual(forwards.map((event) => event.event_id), ids);
    const live = alice.events(roomId).map((event) => event.getId());
    assert.deepEqual(ids.slice(-live.length), live);
    return ids;
}

async function allPages(person, roomId, from, direction) {
    const events = [];
    for (;;) {
        const page = await person.client.createMessagesRequest(roomId, from, 30, direction);
        assert.ok(page.chunk.length <= 30);
        events.push(...page.chunk);
        if (page.chunk.length === 0 || page.end === undefined) {
            return events;
        }
        from = page.end;
    }
}

// Bob logs out, which ends his session, and in again; the new session pages back to the creation of the room.
async function comeBack(alice, bob, roomId, history) {
    const device = bob.client.getDeviceId();
    await bob.client.logout(true);
    await refusal(bob.client.whoami(), 401, "M_UNKNOWN_TOKEN");
    const again = new Person(bob.url, "bob");
    await again.login();
    assert.notEqual(again.client.getDeviceId(), device);
    await again.start();
    assert.deepEqual([again.room(roomId).name, topicOf(again, roomId)], ["Parlour", "Tea"]);
    while (again.room(roomId).oldState.paginationToken !== null) {
        await again.client.scrollback(again.room(roomId), 30);
    }
    assert.deepEqual(again.events(roomId).map((event) => event.getId()), history);
    await alice.say(roomId, "welcome back");
    await again.untilLast(roomId, "welcome back");
    again.client.stopClient();
    return again;
}

try {
    await main(process.argv[2], process.argv[3]);
    process.exitCode = 0;
} catch (error) {
    console.error(error);
    process.exitCode = 1;
}
process.exit();
