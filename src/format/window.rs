//! Many small reads of a file as few large ones, the next few of which are asked for while one is being used.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::pin,
    task::{Context, Poll},
};

use super::{Checkpoint, LocalFuture, stored::CHUNK};
use crate::error::Result;

/// Bytes of a read, unless more are asked for at once.
const READ: usize = 4 << 20;
/// Reads under way at a time: one answer seldom fills a connection, and browsers open no more than six to a server.
const AHEAD: usize = 4;

/// A stretch of a file in memory and, once the caller is seen to go on from it, the next ones on their way. For reads of up to
/// [`READ`] bytes it holds as many for each that is ahead, and twice as many besides: the stretch that is used, and a read
/// that reached over a border.
#[derive(Default)]
pub struct Window {
    source: usize,
    /// Where `here` begins in the file.
    start: u64,
    here: Vec<u8>,
    /// The stretches that follow `here`, in order.
    ahead: VecDeque<Ahead>,
    /// The last read, if it began before `here`.
    joined: Vec<u8>,
}

/// A read under way or done.
struct Ahead {
    len: usize,
    read: LocalFuture<'static, Result<Vec<u8>>>,
    done: Option<Result<Vec<u8>>>,
}

impl Ahead {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.done.is_none() {
            match self.read.as_mut().poll(context) {
                Poll::Ready(result) => self.done = Some(result),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(())
    }

    async fn wait(self) -> Result<Vec<u8>> {
        match self.done {
            Some(result) => result,
            None => self.read.await,
        }
    }
}

impl Window {
    /// `len` bytes of a source from `start`.
    ///
    /// # Errors
    /// Those of the source.
    pub async fn read(
        &mut self,
        checkpoint: &Checkpoint,
        source: usize,
        start: u64,
        len: usize,
    ) -> Result<&[u8]> {
        let end = start + len as u64;
        let goes_on = self.source == source && (self.start..=self.reach()).contains(&start);
        if !goes_on {
            *self = Window { source, start, ..Window::default() };
        }
        self.joined = Vec::new();
        while self.end() < end {
            if start < self.end() {
                self.joined.reserve_exact(len - self.joined.len());
                let from = start.saturating_sub(self.start) as usize;
                self.joined.extend_from_slice(&self.here[from..]);
            }
            self.start = self.end();
            self.here = Vec::new(); // goes before new bytes come
            let next = self.ahead.pop_front();
            let next = next.unwrap_or_else(|| self.ask(checkpoint, (end - self.start) as usize));
            self.here = self.meanwhile(next.wait()).await?;
        }
        while goes_on && self.ahead.len() < AHEAD && self.reach() < checkpoint.sources[source].len() {
            let mut ahead = self.ask(checkpoint, 0);
            // A future does nothing before it is polled.
            poll_fn(|context| Poll::Ready(_ = ahead.poll(context))).await;
            self.ahead.push_back(ahead);
        }
        if self.joined.is_empty() {
            let at = (start - self.start) as usize;
            Ok(&self.here[at..at + len])
        } else {
            self.joined.extend_from_slice(&self.here[..(end - self.start) as usize]);
            Ok(&self.joined)
        }
    }

    /// Waits for something else, while what is on its way gets on.
    pub async fn meanwhile<T>(&mut self, other: impl Future<Output = T>) -> T {
        let mut other = pin!(other);
        poll_fn(|context| {
            for ahead in &mut self.ahead {
                _ = ahead.poll(context);
            }
            other.as_mut().poll(context)
        })
        .await
    }

    fn end(&self) -> u64 {
        self.start + self.here.len() as u64
    }

    /// The end of what is here or on its way.
    fn reach(&self) -> u64 {
        self.end() + self.ahead.iter().map(|ahead| ahead.len as u64).sum::<u64>()
    }

    /// What follows: at least `least` bytes, and about a [`READ`] if the file has it, up to the end of a chunk, so that what
    /// browsers keep is whole.
    fn ask(&self, checkpoint: &Checkpoint, least: usize) -> Ahead {
        let (file, from) = (checkpoint.sources[self.source].clone(), self.reach());
        let end = (from + READ as u64) / CHUNK as u64 * CHUNK as u64;
        let len = least.max(file.len().min(end).saturating_sub(from) as usize);
        Ahead { len, read: Box::pin(async move { file.read(from, len).await }), done: None }
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use pollster::block_on;

    use super::*;
    use crate::{error::Error, format::Source};

    /// A file of this many bytes that answers a read when it was asked three times, and writes down what was asked.
    struct Slow {
        len: u64,
        asked: RefCell<Vec<(u64, usize)>>,
        answered: RefCell<usize>,
        /// Reads that reach past here fail.
        broken_from: u64,
    }

    fn byte(at: u64) -> u8 {
        (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
    }

    fn bytes(start: u64, len: usize) -> Vec<u8> {
        (start..start + len as u64).map(byte).collect()
    }

    impl Source for Slow {
        fn name(&self) -> &str {
            "slow"
        }

        fn len(&self) -> u64 {
            self.len
        }

        fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>> {
            self.asked.borrow_mut().push((offset, len));
            let mut polls = 0;
            Box::pin(poll_fn(move |context| {
                polls += 1;
                if polls < 3 {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                *self.answered.borrow_mut() += 1;
                let broken = offset + len as u64 > self.broken_from;
                let error = || Error::Source { source_name: "slow".into(), problem: "broken".into() };
                Poll::Ready(if broken { Err(error()) } else { Ok(bytes(offset, len)) })
            }))
        }
    }

    fn slow(len: u64, broken_from: u64) -> (Rc<Slow>, Checkpoint) {
        let file =
            Rc::new(Slow { len, asked: RefCell::default(), answered: RefCell::default(), broken_from });
        let sources: Vec<Rc<dyn Source>> = vec![file.clone(), file.clone()];
        let checkpoint = Checkpoint {
            metadata: Default::default(),
            tensors: Default::default(),
            foreign: Default::default(),
            sources,
            folder: None,
        };
        (file, checkpoint)
    }

    const STEP: u64 = READ as u64;

    #[test]
    fn front_to_back_each_byte_is_asked_for_once_and_is_right() {
        let len = 4 * STEP + 1000;
        let (file, checkpoint) = slow(len, u64::MAX);
        let mut window = Window::default();
        let mut rng = fastrand::Rng::new();
        let mut at = 77;
        while at < len {
            // Small ones, large ones, and some that are larger than a read; gaps as between tensors.
            let most = [100, READ, 2 * READ][rng.usize(..3)];
            let n = rng.usize(1..=most).min((len - at) as usize);
            let found = block_on(window.read(&checkpoint, 0, at, n)).unwrap();
            assert!(found == bytes(at, n), "{n} bytes from {at}");
            assert!(window.here.len() + window.joined.len() <= 2 * READ.max(n));
            at += n as u64 + rng.u64(..32);
        }
        let mut next = 77;
        for (start, n) in file.asked.take() {
            // A gap that begins where nothing was read ahead may be left out.
            assert!((next..next + 32).contains(&start), "{start} after {next}");
            next = start + n as u64;
        }
        assert!(next <= len);
    }

    #[test]
    fn the_next_stretches_are_on_their_way_while_the_first_is_used() {
        let (file, checkpoint) = slow(9 * STEP, u64::MAX);
        let mut window = Window::default();
        block_on(window.read(&checkpoint, 0, 0, 10)).unwrap();
        block_on(window.read(&checkpoint, 0, 10, 10)).unwrap();
        let asked: Vec<_> = (0..=AHEAD as u64).map(|i| (i * STEP, READ)).collect();
        assert_eq!(*file.asked.borrow(), asked);
        assert_eq!(*file.answered.borrow(), 1);
        // Whatever else the caller waits for, they get on, and no more of them.
        let mut polls = 0;
        block_on(window.meanwhile(poll_fn(|context| {
            context.waker().wake_by_ref();
            polls += 1;
            if polls < 9 { Poll::Pending } else { Poll::Ready(()) }
        })));
        assert_eq!((file.asked.borrow().len(), *file.answered.borrow()), (1 + AHEAD, 1 + AHEAD));
        // Each that is used up makes room for another.
        assert!(block_on(window.read(&checkpoint, 0, STEP + 5, 10)).unwrap() == bytes(STEP + 5, 10));
        assert_eq!(file.asked.borrow().len(), 2 + AHEAD);
    }

    #[test]
    fn a_caller_who_jumps_asks_for_nothing_ahead() {
        let (file, checkpoint) = slow(9 * STEP, u64::MAX);
        let mut window = Window::default();
        for (source, at) in [(0, 7 * STEP), (1, 7 * STEP + 5), (1, 2 * STEP), (1, STEP), (0, 0)] {
            assert!(block_on(window.read(&checkpoint, source, at, 3)).unwrap() == bytes(at, 3));
        }
        assert_eq!(file.asked.borrow().len(), 5);
        assert_eq!(*file.answered.borrow(), 5);
    }

    #[test]
    fn what_fails_ahead_is_told_to_whom_it_concerns() {
        let (_, checkpoint) = slow(3 * STEP, STEP + 1);
        let mut window = Window::default();
        for at in [0, 5, STEP - 5] {
            assert!(block_on(window.read(&checkpoint, 0, at, 5)).is_ok());
        }
        assert!(block_on(window.read(&checkpoint, 0, STEP - 1, 2)).is_err());
    }
}
