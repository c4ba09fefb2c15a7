"""The SQL of dehydrated devices."""

from collections.abc import Sequence

from replication.ports import Transaction

_SET = """
    INSERT INTO dehydrated_devices (user_id, device_id, device_data) VALUES (:user_id, :device_id, :device_data)
    ON CONFLICT (user_id) DO UPDATE SET device_id = excluded.device_id, device_data = excluded.device_data
"""
_GET = "SELECT device_id, device_data FROM dehydrated_devices WHERE user_id = :user_id"
_FORGET = "DELETE FROM dehydrated_devices WHERE user_id = :user_id AND device_id IN :device_ids"


def put(transaction: Transaction, user_id: str, device_id: str, device_data: str) -> None:
    """Store what a client needs to bring a device back."""
    transaction.run(_SET, user_id=user_id, device_id=device_id, device_data=device_data)


def get(transaction: Transaction, user_id: str) -> tuple[str, str] | None:
    """(device, data) of a user."""
    row = transaction.one(_GET, user_id=user_id)
    return None if row is None else (str(row[0]), str(row[1]))


def forget(transaction: Transaction, user_id: str, device_ids: Sequence[str]) -> None:
    """Forget those that end."""
    transaction.run(_FORGET, user_id=user_id, device_ids=list(device_ids))
