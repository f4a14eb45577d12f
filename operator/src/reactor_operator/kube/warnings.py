"""Why an object does not get going, as its Events tell where its status does not.

In: an object. Out: one line. Never here: what the object is.
"""

from reactor_operator.kube.client import KubeClient
from reactor_operator.kube.errors import Forbidden
from reactor_operator.kube.fields import JsonObject, text_at
from reactor_operator.kube.paths import EVENT


async def newest_warning(client: KubeClient, found: JsonObject) -> str:
    """Return what the newest Warning says of an object (a volume whose ConfigMap is missing, mostly), empty for none.

    Raises Unavailable, ApiError.
    """
    uid = text_at(found, "metadata", "uid")
    namespace = text_at(found, "metadata", "namespace")
    query = {"fieldSelector": f"involvedObject.uid={uid},type=Warning"}
    try:
        told = (await client.list(EVENT.collection(namespace), query)).items
    except Forbidden:
        return ""  # the role may not read Events; the reason is then less exact
    if not told:
        return ""
    newest = max(told, key=lambda event: text_at(event, "lastTimestamp") or text_at(event, "eventTime"))
    return f"{text_at(newest, 'reason')}: {text_at(newest, 'message')}"
