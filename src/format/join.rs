//! Waiting for several things at a time on one thread.

use std::{future::poll_fn, task::Poll};

use super::LocalFuture;
use crate::error::Result;

/// The results of all `futures`, in their order; the first error ends the wait. Whenever one can go on, all that are
/// not done are asked, so this is for a handful.
pub(super) async fn all<T>(mut futures: Vec<LocalFuture<'_, Result<T>>>) -> Result<Vec<T>> {
    let mut results: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        let mut is_waiting = false;
        for (future, result) in futures.iter_mut().zip(&mut results) {
            if result.is_some() {
                continue;
            }
            match future.as_mut().poll(context) {
                Poll::Pending => is_waiting = true,
                Poll::Ready(Ok(value)) => *result = Some(value),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
        }
        if is_waiting { Poll::Pending } else { Poll::Ready(Ok(())) }
    })
    .await?;
    // None is waiting, so each has its result.
    Ok(results.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::ready, rc::Rc};

    use super::*;
    use crate::error::Error;

    #[test]
    fn all_wait_at_the_same_time_and_keep_their_order() {
        let under_way = Rc::new(Cell::new(0));
        let slow = |value: usize| -> LocalFuture<'static, Result<usize>> {
            let under_way = under_way.clone();
            let mut turns = 3 - value;
            Box::pin(async move {
                under_way.update(|n| n + 1);
                poll_fn(|context| {
                    context.waker().wake_by_ref();
                    turns -= 1;
                    if turns == 0 { Poll::Ready(()) } else { Poll::Pending }
                })
                .await;
                // Those that take fewer turns see that the others have begun.
                assert_eq!(under_way.get(), 3);
                Ok(value)
            })
        };
        let under_way_all = pollster::block_on(all(vec![slow(0), slow(1), slow(0)]));
        assert_eq!(under_way_all, Ok(vec![0, 1, 0]));
    }

    #[test]
    fn an_error_ends_the_wait() {
        let never: LocalFuture<'static, Result<()>> = Box::pin(std::future::pending());
        let failed: LocalFuture<'static, Result<()>> = Box::pin(ready(Err(Error::Aborted)));
        assert_eq!(pollster::block_on(all(vec![never, failed])), Err(Error::Aborted));
    }
}
