// Package wire holds what members of a mesh say to each other: the messages,
// their encoding, and the grammar of the subjects that carry them.
//
// Every message is a CBOR sequence (RFC 8742) of two or three items:
//
//	83 62 63 6D VV TT   an array: "cm", the protocol version, the type of message
//	a map               the message, with small integers for keys
//	a byte string       Answer only: the values of its results, one after the other
//
// The first six bytes are always the same for one version and type, so that
// whatever else may arrive on a subject is told apart by looking at them: a
// reply that a JetStream stream sends to the publisher, the empty message of
// "no responders", text, or somebody else's CBOR.
//
// Values stand outside the map so that decoding copies none of their bytes. A
// map may gain keys without a new protocol version: a decoder skips those that
// it does not know. Keys, tags and texts are byte strings on the wire and keep
// every byte. Lengths are in bytes and durations in microseconds; no wall clock
// time is ever sent.
//
// The ID of a sender is not in the message but in the subject (see Subjects),
// where the permissions of a NATS server can enforce it.
//
// What Append and Decode have passed is sound by itself: names and IDs are
// single subject tokens, incarnations are not zero, keys have a legal length,
// indices and lengths fit. Whether it makes sense now is for the receiver to
// judge.
package wire
