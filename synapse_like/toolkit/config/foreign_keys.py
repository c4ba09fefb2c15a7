"""Keys of homeserver.yaml that administrators bring along and that no section here declares.

Four kinds: keys that this server does not need, old names, keys that it must not ignore, and keys of features that it
does not have. A key
that a section declares is looked up there first, so that this table may lag behind without harm.
"""

from synapse_like.toolkit.config.problems import Weight

_NAMES_NOT_NEEDED = "is not needed: processes register themselves in the database and share the work"
_NO_FORK = "is not needed: the server stays in the foreground; let systemd, Docker or Kubernetes keep it running"
_OWN_GC = "is not needed: the server tunes Python's garbage collector itself"
_NO_WORKER_FILES = "is not needed: a process needs no name and no file of its own in the configuration"

_NOT_NEEDED = {
    "instance_map": _NAMES_NOT_NEEDED,
    "stream_writers": _NAMES_NOT_NEEDED,
    "federation_sender_instances": _NAMES_NOT_NEEDED,
    "pusher_instances": _NAMES_NOT_NEEDED,
    "start_pushers": _NAMES_NOT_NEEDED,
    "send_federation": _NAMES_NOT_NEEDED,
    "run_background_tasks_on": _NAMES_NOT_NEEDED,
    "update_user_directory_from_worker": _NAMES_NOT_NEEDED,
    "notify_appservices_from_worker": _NAMES_NOT_NEEDED,
    "media_instance_running_background_jobs": _NAMES_NOT_NEEDED,
    "outbound_federation_restricted_to": _NAMES_NOT_NEEDED,
    "worker_app": _NO_WORKER_FILES,
    "worker_name": _NO_WORKER_FILES,
    "worker_listeners": "is not needed: every process reads the same listeners",
    "worker_log_config": "is not needed: every process reads the same log_config",
    "worker_manhole": "is not needed: there is no manhole",
    "manhole": "is not needed: there is no manhole",
    "manhole_settings": "is not needed: there is no manhole",
    "worker_daemonize": _NO_FORK,
    "worker_pid_file": _NO_FORK,
    "daemonize": _NO_FORK,
    "print_pidfile": _NO_FORK,
    "soft_file_limit": "is not needed: the limit is raised to what the system allows",
    "gc_thresholds": _OWN_GC,
    "gc_min_interval": _OWN_GC,
    "use_frozen_dicts": "is not needed: events here cannot be changed once they are made",
    "event_cache_size": "is not needed: caches are bounded in bytes, all together",
    "dummy_events_threshold": "is not needed: forward extremities are merged by the next event",
    "background_updates": "is not needed: changes of the schema are made at the start, not in the background",
    "report_stats_endpoint": "is not needed: nothing is reported to anyone",
}

_OLD_NAMES = {
    "use_presence": "is an old name: write presence: {enabled: ...}",
    "federation_rc_window_size": "is an old name: write rc_federation: {window_size: ...}",
    "federation_rc_sleep_limit": "is an old name: write rc_federation: {sleep_limit: ...}",
    "federation_rc_sleep_delay": "is an old name: write rc_federation: {sleep_delay: ...}",
    "federation_rc_reject_limit": "is an old name: write rc_federation: {reject_limit: ...}",
    "federation_rc_concurrent": "is an old name: write rc_federation: {concurrent: ...}",
    "rc_messages_per_second": "is an old name: write rc_message: {per_second: ...}",
    "rc_message_burst_count": "is an old name: write rc_message: {burst_count: ...}",
    "riot_base_url": "is an old name: write email: {client_base_url: ...}",
    "web_client": "is an old name: write web_client_location",
    "password_providers": "is an old name: write modules",
    "spam_checker": "is an old name: write modules",
    "third_party_event_rules": "is an old name: write modules",
    "account_validity": "is an old name: it became a module",
    "enable_group_creation": "is an old name: groups are gone, spaces took their place",
    "trust_identity_server_for_password_resets": "is an old name: it is gone from Matrix",
}

_REFUSED = {
    "databases": "is not supported: all tables live in one database; write database: {name: psycopg2, args: ...}",
}

_OTHER_FEATURES = frozenset(
    """
    modules experimental_features user_agent_suffix web_client_location extra_well_known_client_content presence
    require_auth_for_profile_requests limit_profile_requests_to_users_who_share_rooms include_profile_data_on_invite
    allow_public_rooms_without_auth allow_public_rooms_over_federation default_room_version filter_timeline_limit
    block_non_admin_invites enable_search http_proxy https_proxy
    no_proxy_hosts matrix_authentication_service email max_event_delay_duration
    user_types admin_contact hs_disabled hs_disabled_message limit_usage_by_mau max_mau_value mau_trial_days
    mau_appservice_trial_days mau_limit_alerting mau_limit_reserved_threepids server_context limit_remote_rooms
    require_membership_for_aliases max_avatar_size allowed_avatar_mimetypes redaction_retention_period
    forgotten_room_retention_period next_link_domain_whitelist templates retention tls_certificate_path
    tls_private_key_path federation_whitelist_endpoint_enabled federation_metrics_domains
    allow_profile_lookup_over_federation
    allow_device_name_lookup_over_federation federation caches enable_authenticated_media enable_media_repo
    enable_local_media_storage media_store_path max_pending_media_uploads unused_expiration_time
    media_storage_providers max_upload_size media_upload_limits max_image_pixels remote_media_download_burst_count
    remote_media_download_per_second prevent_media_downloads_from dynamic_thumbnails thumbnail_sizes media_retention
    url_preview_enabled url_preview_ip_range_blacklist url_preview_ip_range_whitelist url_preview_url_blacklist
    max_spider_size url_preview_accept_language oembed recaptcha_public_key recaptcha_public_key_path
    recaptcha_private_key recaptcha_private_key_path enable_registration_captcha recaptcha_siteverify_api turn_uris
    turn_shared_secret turn_shared_secret_path turn_username turn_password turn_user_lifetime turn_allow_guests
    matrix_rtc enable_registration enable_registration_without_verification registrations_require_3pid
    disable_msisdn_registration allowed_local_3pids enable_3pid_lookup registration_requires_token
    registration_shared_secret registration_shared_secret_path bcrypt_rounds allow_guest_access
    default_identity_server account_threepid_delegates enable_set_displayname enable_set_avatar_url
    enable_3pid_changes auto_join_rooms autocreate_auto_join_rooms autocreate_auto_join_rooms_federated
    autocreate_auto_join_room_preset auto_join_mxid_localpart auto_join_rooms_for_guests
    allow_underscore_prefixed_registration session_lifetime refreshable_access_token_lifetime refresh_token_lifetime
    nonrefreshable_access_token_lifetime ui_auth login_via_existing_session room_prejoin_state
    track_puppeted_user_ips app_service_config_files track_appservice_user_ips
    oidc_providers sso jwt_config password_config push user_directory user_consent stats
    server_notices enable_room_list_search alias_creation_rules room_list_publication_rules
    default_power_level_content_override forget_rooms_on_leave exclude_rooms_from_sync exclude_rooms_from_presence
    worker_replication_secret worker_replication_secret_path redis auto_accept_invites
    use_appservice_legacy_authorization key_server_signing_keys_path
    request_token_inhibit_3pid_errors inhibit_user_in_use_error user_ips_max_age metrics_flags mau_stats_only
    allow_per_room_profiles opentracing saml2_config cas_config
    """.split()
)


def explanation_of(key: str) -> tuple[Weight, str] | None:
    """Return why a key has no effect here and how much that matters, or None if nobody ever heard of it."""
    if key in _OTHER_FEATURES:
        return Weight.INFO, "belongs to a feature that this server does not have yet; it has no effect"
    for weight, table in ((Weight.INFO, _NOT_NEEDED), (Weight.WARNING, _OLD_NAMES), (Weight.ERROR, _REFUSED)):
        if key in table:
            return weight, table[key]
    return None
