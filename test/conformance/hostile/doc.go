// Package hostile is a webhook receiver that misbehaves on request, below HTTP
// where need be: it hangs, closes early, answers by the byte, without end or
// with nonsense. A [Plan] says what it does with which request.
//
//	r, err := hostile.Start("127.0.0.1:0", hostile.Cycle(hostile.Accept, hostile.Fail, hostile.Hang))
//	// configure r.URL(), use the server
//	r.Plan(hostile.Always(hostile.Accept))
//	request, err := r.Next(ctx)
//	r.Close()
//
// It is for tests of a server from outside and imports nothing of this module.
// Everything that was read whole is kept until the end, in the order in which
// the reading ended.
package hostile
