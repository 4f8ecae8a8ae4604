"""What the tests stand on: mail systems in private namespaces, their logs, queues, traces and peers."""
