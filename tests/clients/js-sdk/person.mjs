// One user with matrix-js-sdk, syncing in the background as Element does. The story is in scenario.mjs.

import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { createClient, EventType, SyncState } from "matrix-js-sdk";

export const PASSWORD = "a long enough password";
const PATIENCE_MS = 30_000;
const LONG_POLL_MS = 20_000;
const noWords = () => {};
const QUIET = { trace: noWords, debug: noWords, info: noWords, warn: noWords, error: noWords, getChild: () => QUIET };

export class Person {
    // `requests` holds what was asked of the server and the status of each reply, in order.
    // `options` go to the library's client as they are.
    constructor(url, name, options = {}) {
        this.url = url;
        this.name = name;
        this.options = options;
        this.requests = [];
        this.isPatient = false; // whether the server may be away for a while
        this.visitor = this.client = this.#open({});
    }

    get userId() {
        return this.client.getUserId();
    }

    async register() {
        const account = { username: this.name, password: PASSWORD, initial_device_display_name: "the first device" };
        const auth = { type: "m.login.dummy" };
        const { session } = await refusal(this.visitor.registerRequest(account), 401);
        this.#begin(await this.visitor.registerRequest({ ...account, auth: { ...auth, session } }));
    }

    async login() {
        const identifier = { type: "m.id.user", user: this.name };
        this.#begin(await this.visitor.loginRequest({ type: "m.login.password", identifier, password: PASSWORD }));
    }

    async start() {
        await this.client.startClient({
            initialSyncLimit: 20,
            lazyLoadMembers: true,
            threadSupport: true,
            pollTimeout: LONG_POLL_MS,
        });
        await this.until(() => this.client.getSyncState() === SyncState.Syncing, "a first sync");
    }

    async until(isSo, what) {
        const deadline = performance.now() + PATIENCE_MS;
        while (!(await isSo())) {
            assert.ok(performance.now() < deadline, `${this.name} waited in vain: ${what}`);
            assert.ok(this.isPatient || this.client.getSyncState() !== SyncState.Error, `${this.name} cannot sync`);
            await delay(5);
        }
    }

    room(roomId) {
        return this.client.getRoom(roomId);
    }

    // The events of a room that came from the server, oldest first, without local echoes.
    events(roomId) {
        return (this.room(roomId)?.getLiveTimeline().getEvents() ?? []).filter((event) => event.status === null);
    }

    texts(roomId) {
        const messages = this.events(roomId).filter((event) => event.getType() === EventType.RoomMessage);
        return messages.map((event) => event.getContent().body);
    }

    async untilLast(roomId, text) {
        await this.until(() => this.texts(roomId).at(-1) === text, `the message ${text}`);
    }

    async say(roomId, text) {
        const content = { msgtype: "m.text", body: text };
        return (await this.client.sendMessage(roomId, content)).event_id;
    }

    #begin(session) {
        const { access_token: accessToken, user_id: userId, device_id: deviceId } = session;
        this.client = this.#open({ accessToken, userId, deviceId });
    }

    #open(session) {
        const fetchFn = (resource, options) => this.#fetch(resource, options);
        return createClient({ baseUrl: this.url, fetchFn, logger: QUIET, ...this.options, ...session });
    }

    async #fetch(resource, options) {
        const record = { method: options?.method ?? "GET", path: new URL(resource).pathname, status: null };
        this.requests.push(record);
        const response = await fetch(resource, options);
        record.status = response.status;
        return response;
    }
}

// Expect a refusal with this status, and return its body.
export async function refusal(request, status, errcode) {
    try {
        await request;
    } catch (error) {
        assert.equal(error.httpStatus, status, String(error));
        if (errcode !== undefined) {
            assert.equal(error.errcode, errcode);
        }
        return error.data;
    }
    throw new assert.AssertionError({ message: `not refused with ${status}` });
}
