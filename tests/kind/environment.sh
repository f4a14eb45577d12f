# Sourced by every script of this folder: where things are kept, which versions, and how the cluster is spoken to.
#
# CLUSTER=existing   use the current kubectl context and never make or delete a cluster
# Everything that is kept lies below $CACHE, outside the checkout; several checkouts share it.

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${CLUSTER:=kind}"
: "${KUBERNETES:=v1.34.4}" "${KIND_VERSION:=v0.30.0}" "${ETCD_VERSION:=v3.6.5}" "${COREDNS_VERSION:=v1.12.1}"
: "${HELM_VERSION:=v4.2.4}" "${KWOK_VERSION:=v0.7.0}"
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/reactor-operator
BIN=$CACHE/kind/bin            # kind, kubectl, helm and what a node image is made of
STATE=$CACHE/kind/state        # of the cluster that is up: mode, kubeconfig, dockerd's log
DATA=$CACHE/kind/docker        # dockerd's images; kept when the cluster goes
EXEC=/run/reactor-kind         # dockerd's sockets and shims
NS=reactor-kind                # the network namespace of our own dockerd
: "${CLUSTER_NAME:=reactor}"          # of kind
OWN_NODE_IMAGE=localhost/kind-node:$KUBERNETES

say() { printf '== %s\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# mode: own (our dockerd in a namespace), docker (a Docker that answers by itself), existing (no kind at all), none (nothing is up)
mode() {
  if [ "$CLUSTER" = existing ]; then echo existing; else cat "$STATE/mode" 2>/dev/null || echo none; fi
}

# Sets what the commands that speak to the cluster need, and the array `inside`, put before a command: enters the namespace where there is one.
enter() {
  inside=(env)
  case $(mode) in
    existing) export PATH="$PATH:$BIN" ;;
    own)
      # $BIN/docker is Debian's client, which goes with Debian's dockerd, whatever else is first in the path
      export PATH="$BIN:$PATH:/usr/sbin" KUBECONFIG="$STATE/kubeconfig" DOCKER_HOST="unix://$EXEC/docker.sock" DOCKER_BUILDKIT=0
      unset HTTP_PROXY HTTPS_PROXY http_proxy https_proxy ALL_PROXY all_proxy
      [ "$(readlink /proc/self/ns/net)" = "net:[$(stat -Lc %i "/run/netns/$NS" 2>/dev/null)]" ] || inside=(nsenter "--net=/run/netns/$NS")
      ;;
    *) export PATH="$PATH:$BIN" KUBECONFIG="$STATE/kubeconfig" ;;
  esac
}

answers() { # the API, and a node that is ready
  "${inside[@]}" timeout 10 kubectl get --raw=/readyz >/dev/null 2>&1 &&
    "${inside[@]}" timeout 10 kubectl wait node --all --for=condition=Ready --timeout=5s >/dev/null 2>&1
}
