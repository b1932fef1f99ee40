// Package strictjson reads JSON that comes from strangers.
//
// It owns one idea: a text is validated once, completely, at the door
// ([Parse]), and is then walked and cut without being parsed again ([Value]).
// Where only the members of one object are wanted, [ParseObject] cuts while it
// validates. None of them allocates for objects of up to eight members without
// escapes in their keys.
// Values are sub-slices of the caller's text, so payloads that are only passed
// on keep their exact characters: key order, number literals and escapes.
//
// Stricter than encoding/json: invalid UTF-8 is refused, nesting is limited to
// [MaxDepth], keys match case-sensitively, and [ParseObject] and
// [Value.Members] refuse an object that names a key twice, so that no two readers
// of one text can disagree about it.
//
// Nothing here keeps state; every function may be called concurrently. No
// function writes to the bytes it is given.
package strictjson
