//! Stopping in time: SIGTERM in the middle of work ends every worker in under five seconds, whatever it is at, and the
//! next one goes on where it stopped.
