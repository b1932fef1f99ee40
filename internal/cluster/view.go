package cluster

import (
	"encoding/binary"
	"hash/fnv"
	"slices"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// view is which nodes a node believes alive, itself included. It is never
// changed.
type view struct {
	nodes  []broker.NodeID // rising
	digest uint64          // the same for the same nodes, at every node and in every release
}

// outlook is whom a node sees.
type outlook struct {
	heard view // whose beats come
	view  view // of them, with whom it shares the homes of channels
}

func viewOf(nodes []broker.NodeID) view {
	slices.Sort(nodes)
	h := fnv.New64a()
	for _, id := range nodes {
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(id))) // never fails
	}
	return view{nodes: nodes, digest: h.Sum64()}
}

func (v view) has(id broker.NodeID) bool {
	_, found := slices.BinarySearch(v.nodes, id)
	return found
}

// without returns the view without a node.
func (v view) without(id broker.NodeID) view {
	return viewOf(slices.DeleteFunc(slices.Clone(v.nodes), func(other broker.NodeID) bool { return other == id }))
}

// home returns the node of the view that tells webhooks about a channel: of all
// nodes the one whose hash together with the channel's is the greatest, so that a
// node that comes or goes moves no channel but its own. Releases must agree on it.
func (v view) home(app apps.ID, channel protocol.ChannelName) broker.NodeID {
	key := hashOf(app, channel)
	var best broker.NodeID
	var most uint64
	for _, id := range v.nodes {
		if h := mix(key ^ mix(uint64(id))); h >= most {
			best, most = id, h
		}
	}
	return best
}

// hashOf is FNV-1a of both names.
func hashOf(app apps.ID, channel protocol.ChannelName) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range len(app) {
		h = (h ^ uint64(app[i])) * prime
	}
	h *= prime // between them
	for i := range len(channel) {
		h = (h ^ uint64(channel[i])) * prime
	}
	return h
}

// mix is the finalizer of SplitMix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
