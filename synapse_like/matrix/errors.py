"""The one tree of errors: every `errcode` that this server answers with, and its HTTP status.

Here live the errors themselves. What they are raised for, and the errors of one feature, live with the rules that
raise them (a feature subclasses a leaf of this tree in its own `errors.py`). Nobody types an errcode anywhere else.

```
MatrixError
├─ Forbidden 403 ─┬─ AuthError (an authorization rule said no), GuestAccessForbidden, UserSuspended, UserDeactivated
│                 ├─ InviteBlocked, CannotLeaveServerNoticeRoom, BadState, ConsentNotGiven, ThreepidDenied
│                 └─ ThreepidAuthFailed, ResourceLimitExceeded, UserLimitExceeded, WrongRoomKeysVersion
├─ Unauthorized 401 ─ UnknownToken, MissingToken, UserLocked, CaptchaNeeded, CaptchaInvalid
├─ BadRequest 400 ─┬─ Unknown, NotJson, BadJson ─ UnsafeValue, InvalidParam, MissingParam, WeakPassword
│                  ├─ UserInUse, InvalidUsername, Exclusive, AppserviceLoginUnsupported, TokenIncorrect
│                  ├─ RoomInUse, InvalidRoomState, BadAlias, DuplicateAnnotation, UnknownPosition
│                  ├─ UnsupportedRoomVersion, IncompatibleRoomVersion, UnableToAuthoriseJoin, UnableToGrantJoin
│                  ├─ ProfileTooLarge, KeyTooLarge, InvalidSignature, ServerNotTrusted, UrlNotSet
│                  └─ ThreepidInUse, ThreepidNotFound, ThreepidMediumNotSupported, SessionNotValidated
├─ NotFound 404
├─ Unrecognized 404 ─ MethodNotAllowed 405
├─ CannotOverwriteMedia 409
├─ TooLarge 413
├─ LimitExceeded 429
└─ ServerTrouble 5xx ─ InternalError 500, BadGateway 502 ─ ConnectionFailed, BadStatus,
                       Unavailable 503, ConnectionTimeout 504, NotYetUploaded 504
```

Source: Client-Server API, "Standard error response", and the error answers of the single endpoints (v1.19).
"""

from __future__ import annotations

from typing import Any, ClassVar


class MatrixError(Exception):
    """What a client or a remote server is told when its request failed.

    `status` is the HTTP status and `errcode` the Matrix code; `default_message` is the sentence that is used when
    the raiser gives none. `extra` are further keys of the body (`soft_logout`, `retry_after_ms`, ...).
    """

    status: ClassVar[int] = 500
    errcode: ClassVar[str] = "M_UNKNOWN"
    default_message: ClassVar[str] = "The server could not do this"

    def __init__(self, message: str | None = None, **extra: Any) -> None:
        self.message = self.default_message if message is None else message
        self.extra = extra
        super().__init__(self.message)

    def body(self) -> dict[str, Any]:
        """The JSON object of the answer: `errcode`, `error` and the extra keys."""
        return {"errcode": self.errcode, "error": self.message, **self.extra}


# 403: we know who asks, and the answer is no.


class Forbidden(MatrixError):
    """The caller may not do this."""

    status, errcode, default_message = 403, "M_FORBIDDEN", "You are not allowed to do this"


class AuthError(Forbidden):
    """An event does not pass the authorization rules of its room version."""

    default_message = "The rules of this room do not allow this event"


class GuestAccessForbidden(Forbidden):
    """The room or endpoint is closed to guests."""

    errcode, default_message = "M_GUEST_ACCESS_FORBIDDEN", "Guests may not do this"


class UserSuspended(Forbidden):
    """The account is suspended: it may read and leave, and not much else (MSC3823)."""

    errcode, default_message = "M_USER_SUSPENDED", "This account is suspended"


class UserDeactivated(Forbidden):
    """The account was closed for ever."""

    errcode, default_message = "M_USER_DEACTIVATED", "This account has been deactivated"


class InviteBlocked(Forbidden):
    """The invited user takes no invites (MSC4380)."""

    errcode, default_message = "M_INVITE_BLOCKED", "This user does not accept invites"


class CannotLeaveServerNoticeRoom(Forbidden):
    """The room of server notices must be kept."""

    errcode, default_message = "M_CANNOT_LEAVE_SERVER_NOTICE_ROOM", "You cannot leave the room of server notices"


class BadState(Forbidden):
    """The wanted change makes no sense for the current state, such as an unban of somebody who is not banned."""

    errcode, default_message = "M_BAD_STATE", "The current state does not allow this change"


class ConsentNotGiven(Forbidden):
    """The user has to agree to the terms first; carries `consent_uri`."""

    errcode, default_message = "M_CONSENT_NOT_GIVEN", "You have to agree to the terms of this server first"


class ThreepidDenied(Forbidden):
    """This server does not take this email address or telephone number."""

    errcode, default_message = "M_THREEPID_DENIED", "This address is not permitted on this server"


class ThreepidAuthFailed(Forbidden):
    """Ownership of an email address or telephone number was not proven."""

    errcode, default_message = "M_THREEPID_AUTH_FAILED", "Ownership of the address could not be verified"


class ResourceLimitExceeded(Forbidden):
    """The server is full; carries `limit_type` and `admin_contact`."""

    errcode, default_message = "M_RESOURCE_LIMIT_EXCEEDED", "This server has reached a limit on its resources"


class UserLimitExceeded(Forbidden):
    """The user has used up a quota; carries `info_uri` (MSC4335)."""

    errcode, default_message = "M_USER_LIMIT_EXCEEDED", "You have reached a limit of your account"


class WrongRoomKeysVersion(Forbidden):
    """Keys were sent for a backup that is not the newest; carries `current_version`."""

    errcode, default_message = "M_WRONG_ROOM_KEYS_VERSION", "This is not the current version of the backup"


# 401: we do not know who asks.


class Unauthorized(MatrixError):
    """The request is not authorised, usually because a login failed."""

    status, errcode, default_message = 401, "M_UNAUTHORIZED", "This request is not authorised"


class UnknownToken(Unauthorized):
    """The access or refresh token is not (or no longer) known; `soft_logout` says whether the session may return."""

    errcode, default_message = "M_UNKNOWN_TOKEN", "The access token is not known"

    def __init__(self, message: str | None = None, *, soft_logout: bool = False, **extra: Any) -> None:
        super().__init__(message, soft_logout=soft_logout, **extra)


class MissingToken(Unauthorized):
    """The request carries no access token."""

    errcode, default_message = "M_MISSING_TOKEN", "An access token is needed"


class UserLocked(Unauthorized):
    """The account is locked; the session is kept for later, hence `soft_logout` (MSC3939)."""

    errcode, default_message = "M_USER_LOCKED", "This account is locked"

    def __init__(self, message: str | None = None, *, soft_logout: bool = True, **extra: Any) -> None:
        super().__init__(message, soft_logout=soft_logout, **extra)


class CaptchaNeeded(Unauthorized):
    """A captcha has to be solved first."""

    errcode, default_message = "M_CAPTCHA_NEEDED", "Please solve the captcha"


class CaptchaInvalid(Unauthorized):
    """The answer to the captcha is wrong."""

    errcode, default_message = "M_CAPTCHA_INVALID", "The captcha was not solved"


# 400: the request itself is wrong.


class BadRequest(MatrixError):
    """The request is wrong in a way that has no name of its own."""

    status, errcode, default_message = 400, "M_UNKNOWN", "This request cannot be understood"


class Unknown(BadRequest):
    """The request cannot be answered, for a reason that only the sentence tells."""

    default_message = "This request cannot be answered"


class NotJson(BadRequest):
    """The body is not JSON."""

    errcode, default_message = "M_NOT_JSON", "The body is not valid JSON"


class BadJson(BadRequest):
    """The body is JSON of a wrong shape: a missing key, a wrong type."""

    errcode, default_message = "M_BAD_JSON", "The JSON has not the expected shape"


class UnsafeValue(BadJson):
    """A value that has no canonical JSON form: a float, a huge integer, a lone surrogate, nesting without end."""

    default_message = "The JSON holds a value that canonical JSON does not allow"


class InvalidParam(BadRequest):
    """A parameter has a value that is not allowed."""

    errcode, default_message = "M_INVALID_PARAM", "A parameter has an invalid value"


class MissingParam(BadRequest):
    """A required parameter is absent."""

    errcode, default_message = "M_MISSING_PARAM", "A required parameter is missing"


class WeakPassword(BadRequest):
    """The new password does not meet the policy of this server."""

    errcode, default_message = "M_WEAK_PASSWORD", "This password is too weak"


class UserInUse(BadRequest):
    """The wanted user name is taken."""

    errcode, default_message = "M_USER_IN_USE", "This user name is already taken"


class InvalidUsername(BadRequest):
    """The wanted user name is against the grammar."""

    errcode, default_message = "M_INVALID_USERNAME", "This user name is not valid"


class Exclusive(BadRequest):
    """The name belongs to an application service, or lies outside of the asking one's namespace."""

    errcode, default_message = "M_EXCLUSIVE", "This name is reserved by an application service"


class AppserviceLoginUnsupported(BadRequest):
    """This kind of login is not possible for users of an application service (MSC4190)."""

    errcode, default_message = "M_APPSERVICE_LOGIN_UNSUPPORTED", "Application services cannot log in like this"


class TokenIncorrect(BadRequest):
    """The code that was sent to an email address or telephone was typed wrong (MSC4183)."""

    errcode, default_message = "M_TOKEN_INCORRECT", "This code is not correct"


class RoomInUse(BadRequest):
    """The alias, or the id, is taken."""

    errcode, default_message = "M_ROOM_IN_USE", "This room alias is already taken"


class InvalidRoomState(BadRequest):
    """The initial state asked for in createRoom contradicts itself or the rules."""

    errcode, default_message = "M_INVALID_ROOM_STATE", "The room cannot be created with this state"


class BadAlias(BadRequest):
    """An alias in m.room.canonical_alias does not exist or points to another room."""

    errcode, default_message = "M_BAD_ALIAS", "An alias does not point to this room"


class DuplicateAnnotation(BadRequest):
    """The same user has already reacted to this event with this key."""

    errcode, default_message = "M_DUPLICATE_ANNOTATION", "You have already sent this reaction"


class UnknownPosition(BadRequest):
    """The position of a sliding sync is no longer known: the client starts anew (MSC4186)."""

    errcode, default_message = "M_UNKNOWN_POS", "This position is not known"


class UnsupportedRoomVersion(BadRequest):
    """This server does not know the room version."""

    errcode, default_message = "M_UNSUPPORTED_ROOM_VERSION", "This server does not support that room version"


class IncompatibleRoomVersion(BadRequest):
    """The caller does not know the version of the room, which is in `room_version`."""

    errcode, default_message = "M_INCOMPATIBLE_ROOM_VERSION", "The room has a version that you do not support"

    def __init__(self, message: str | None = None, *, room_version: str, **extra: Any) -> None:
        super().__init__(message, room_version=room_version, **extra)


class UnableToAuthoriseJoin(BadRequest):
    """A restricted join cannot be judged here: this server does not see the rooms that would allow it."""

    errcode, default_message = "M_UNABLE_TO_AUTHORISE_JOIN", "This server cannot tell whether you may join"


class UnableToGrantJoin(BadRequest):
    """A restricted join would be right, but no local user may invite; another server has to be asked."""

    errcode, default_message = "M_UNABLE_TO_GRANT_JOIN", "No user of this server can authorise the join"


class ProfileTooLarge(BadRequest):
    """The profile would exceed 64 KiB (MSC4133)."""

    errcode, default_message = "M_PROFILE_TOO_LARGE", "The profile would become too large"


class KeyTooLarge(BadRequest):
    """The name of a profile field exceeds 255 bytes (MSC4133)."""

    errcode, default_message = "M_KEY_TOO_LARGE", "The name of the profile field is too long"


class InvalidSignature(BadRequest):
    """A signature under uploaded keys does not verify."""

    errcode, default_message = "M_INVALID_SIGNATURE", "A signature is not valid"


class ServerNotTrusted(BadRequest):
    """A third server named in the request (an identity server) is not trusted here."""

    errcode, default_message = "M_SERVER_NOT_TRUSTED", "That server is not trusted by this one"


class UrlNotSet(BadRequest):
    """The application service has no URL that could be pinged."""

    errcode, default_message = "M_URL_NOT_SET", "The application service has no URL"


class ThreepidInUse(BadRequest):
    """The email address or telephone number belongs to another account."""

    errcode, default_message = "M_THREEPID_IN_USE", "This address is already in use"


class ThreepidNotFound(BadRequest):
    """No account has this email address or telephone number."""

    errcode, default_message = "M_THREEPID_NOT_FOUND", "No account has this address"


class ThreepidMediumNotSupported(BadRequest):
    """This server cannot verify this kind of address (MSC4178)."""

    errcode, default_message = "M_THREEPID_MEDIUM_NOT_SUPPORTED", "This kind of address is not supported"


class SessionNotValidated(BadRequest):
    """The verification of an address has been begun and not finished."""

    errcode, default_message = "M_SESSION_NOT_VALIDATED", "The address has not been verified yet"


# 404 and the rest.


class NotFound(MatrixError):
    """The thing does not exist, or the caller may not know that it does."""

    status, errcode, default_message = 404, "M_NOT_FOUND", "Not found"


class Unrecognized(MatrixError):
    """No endpoint has this path."""

    status, errcode, default_message = 404, "M_UNRECOGNIZED", "There is no such endpoint"


class MethodNotAllowed(Unrecognized):
    """The path exists, but not with this method."""

    status, default_message = 405, "This endpoint does not take this method"


class CannotOverwriteMedia(MatrixError):
    """The reserved media id has its content already (MSC2246)."""

    status, errcode, default_message = 409, "M_CANNOT_OVERWRITE_MEDIA", "This media has already been uploaded"


class TooLarge(MatrixError):
    """The request, event or file is larger than allowed."""

    status, errcode, default_message = 413, "M_TOO_LARGE", "This is too large"


class LimitExceeded(MatrixError):
    """Too many requests; `retry_after_ms` says when to come back (the HTTP layer makes Retry-After of it)."""

    status, errcode, default_message = 429, "M_LIMIT_EXCEEDED", "Too many requests"

    def __init__(self, message: str | None = None, *, retry_after_ms: int | None = None, **extra: Any) -> None:
        if retry_after_ms is not None:
            extra["retry_after_ms"] = retry_after_ms
        super().__init__(message, **extra)
        self.retry_after_ms = retry_after_ms


# 5xx: it is not the caller's fault.


class ServerTrouble(MatrixError):
    """This server, or one that it needs, cannot answer now."""


class InternalError(ServerTrouble):
    """A fault in this server; the sentence must not tell more than that."""

    default_message = "Internal server error"


class BadGateway(ServerTrouble):
    """Another server that this request needs gave no usable answer."""

    status, default_message = 502, "Another server gave no usable answer"


class ConnectionFailed(BadGateway):
    """An application service could not be reached."""

    errcode, default_message = "M_CONNECTION_FAILED", "The connection could not be made"


class BadStatus(BadGateway):
    """An application service answered with an unexpected HTTP status, given in `status` (with its `body`)."""

    errcode, default_message = "M_BAD_STATUS", "The other side answered with an unexpected status"


class Unavailable(ServerTrouble):
    """This server is starting, stopping or cut off from what it needs; a repeat may succeed."""

    status, default_message = 503, "This server is not available at the moment"


class ConnectionTimeout(ServerTrouble):
    """An application service did not answer in time."""

    status, errcode, default_message = 504, "M_CONNECTION_TIMEOUT", "The other side did not answer in time"


class NotYetUploaded(ServerTrouble):
    """The media id is reserved, but its content has not arrived (MSC2246)."""

    status, errcode, default_message = 504, "M_NOT_YET_UPLOADED", "This media has not been uploaded yet"
