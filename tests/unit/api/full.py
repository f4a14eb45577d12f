"""A reactor that says everything that can be said."""

from collections.abc import Mapping
from typing import Any

FULL: Mapping[str, Any] = {
    "description": "Reserve, charge, ship.",
    "inputsSchema": {"type": "object", "properties": {"orderId": {"type": "string", "minLength": 1}}},
    "defaults": {
        "image": "registry.example/shop:1.4",
        "modules": {"configMapRef": {"name": "checkout-modules"}},
        "placement": "job",
        "retries": {"maxAttempts": 1},
        "timeout": "10m",
        "env": [{"name": "A", "value": "b"}, {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
        "envFrom": [{"configMapRef": {"name": "x"}}],
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "resources": {"limits": {"cpu": 1, "memory": "10Mi"}},
        "pod": {"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}, "spec": {"nodeSelector": {"e": "f"}}},
        "podRetention": "all",
    },
    "timeout": "1h",
    "parallelism": 20,
    "onFailure": "terminate",
    "infrastructureRetries": 0,
    "ttlAfterFinished": "0s",
    "rollback": {"deadline": "24h", "retries": {"maxAttempts": 5, "backoff": "exponential", "baseDelay": "1s"}},
    "steps": [
        {
            "name": "reserve",
            "arguments": {
                "items": {"input": "items", "path": "[0].sku"},
                "token": {"secretKeyRef": {"name": "shop", "key": "token"}},
                "mode": {"configMapKeyRef": {"name": "shop", "key": "mode"}},
                "limit": {"value": 3},
            },
            "run": {"python": {"source": "def main(items):\n    return items\n"}},
            "compensate": {
                "python": {"handler": "shop.inventory:clear_partial"},
                "timeout": "5s",
                "retryOn": ["Error"],
            },
            "undo": {"python": {"handler": "shop.inventory:Stock.release"}, "retries": {"maxAttempts": 9}},
            "retries": {
                "maxAttempts": 3,
                "backoff": "linear",
                "baseDelay": "1s",
                "maxDelay": "1m",
                "jitterPercent": 10,
            },
            "retryOn": ["Error", "Timeout"],
            "timeout": "30s",
        },
        {
            "name": "book-courier",
            "arguments": {"reservation": {"result": "reserve", "path": "id", "default": "none"}},
            "run": {
                "container": {
                    "image": "payments:2",
                    "command": ["/charge"],
                    "args": ["$(AMOUNT)"],
                    "workingDir": "/srv",
                    "env": [{"name": "AMOUNT", "argument": "reservation"}],
                    "output": {"path": "/out/result.json", "format": "json"},
                },
                "exitCodes": {"fatal": [3], "skip": [4], "halt": [5]},
            },
            "compensate": {"container": {"image": "payments:2"}, "exitCodes": {"continue": [6]}},
            "when": "inputs.total > 0 && results.reserve.ok",
            "placement": "pod",
        },
        {
            "name": "rows",
            "arguments": {"row": {"element": "rows", "path": "id"}, "place": {"index": "rows"}},
            "map": {
                "pages": {
                    "run": {"python": {"handler": "shop.rows:page"}, "retries": {"maxAttempts": 2}, "timeout": "5s"},
                    "arguments": {"days": {"input": "days"}},
                    "pageSize": 100,
                    "sensitive": False,
                },
                "batchSize": 20,
                "strategy": "batch",
                "failFast": False,
                "maxFailures": 3,
                "elementsPerTask": 5,
                "timeout": "2h",
                "undoWindow": 4,
                "run": {"python": {"handler": "shop.rows:store"}},
                "collect": {"expr": "result.total"},
            },
            "compensate": {"python": {"handler": "shop.rows:clean"}},
            "undo": {"python": {"handler": "shop.rows:remove"}},
            "placement": "pool",
            "poolRef": {"name": "warm"},
        },
        {
            "name": "orders",
            "map": {
                "source": {"result": "reserve", "path": "orders", "default": []},
                "maxFailuresPercent": 10,
                "failFast": False,
                "steps": [
                    {
                        "name": "store",
                        "arguments": {"order": {"element": "orders"}},
                        "when": "element.total > 0.0 && index < 10",
                        "run": {"python": {"handler": "shop.rows:store"}},
                    }
                ],
                "returns": {"result": "store"},
                "collect": {"run": {"container": {"image": "shop:1"}}},
            },
        },
        {
            "name": "receipt",
            "waitFor": ["book-courier"],
            "arguments": {"id": {"expr": "results.book_courier.id + results['reserve'].id"}},
            "run": {"python": {"handler": "shop.mail:receipt"}},
            "onError": {"action": "Continue", "value": None},
        },
    ],
    "returns": {"result": "book-courier", "path": "id"},
}
