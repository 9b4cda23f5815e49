"""How the server is set: safe, modest, and reachable by its socket alone."""

import os

__all__ = ["durable_options", "throw_away_options"]

_MEBIBYTE = 1024 * 1024


def _common(socket_folder: str) -> dict[str, str]:
    return {
        "listen_addresses": "",
        "unix_socket_directories": socket_folder,
        "unix_socket_permissions": "0700",
        "max_connections": "120",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "logging_collector": "off",
        "log_destination": "stderr",
        # Neither statements nor the rows that they were refused for go into the log: they are about people.
        "log_min_messages": "warning",
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "log_checkpoints": "off",
        "log_autovacuum_min_duration": "-1",
        "jit": "off",
    }


def durable_options(socket_folder: str, memory: int) -> dict[str, str]:
    """For data to keep, on a machine with ``memory`` bytes: nothing that was confirmed is ever lost."""
    shared = min(max(memory // 8, 128 * _MEBIBYTE), 1024 * _MEBIBYTE) // _MEBIBYTE
    return _common(socket_folder) | {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "shared_buffers": f"{shared}MB",
        "effective_cache_size": f"{max(memory // 2, 256 * _MEBIBYTE) // _MEBIBYTE}MB",
        "work_mem": "16MB",
        "maintenance_work_mem": "128MB",
        "max_wal_size": "2GB",
        "min_wal_size": "80MB",
        "wal_compression": "on",
        "random_page_cost": "1.1",
    }


def throw_away_options(socket_folder: str) -> dict[str, str]:
    """For tests: fast, and gone after a crash of the machine."""
    return _common(socket_folder) | {
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "off",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "shared_buffers": "128MB",
        "max_connections": "200",
        "autovacuum_naptime": "10s",
    }


def memory_of_machine() -> int:
    """Bytes of memory that this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
