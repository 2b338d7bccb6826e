//! A team of threads of this process.

use std::{
    hint::spin_loop,
    sync::{
        Arc,
        mpsc::{Receiver, RecvError, Sender, TryRecvError, channel},
    },
    thread,
};

use super::{Job, Member, Shape, Slice, Strided, Team};
use crate::error::{Error, Result};

/// How often a thread looks for work before it sleeps: waking takes longer than most steps of a model.
const LOOKS: usize = 20_000;

enum Order {
    Write { id: u32, part: Shape, bytes: Vec<u8> },
    Forget { id: u32 },
    Multiply { jobs: Vec<Job>, xs: Arc<[Vec<f32>]>, fast: bool },
    Attend { slice: Slice, q: Vec<f32>, kv: Arc<[Vec<f32>; 2]> },
    Row { id: u32, row: usize, n_in: usize },
}

struct Helper {
    orders: Sender<Order>,
    answers: Receiver<Result<Vec<f32>>>,
}

/// They end when this is dropped.
pub struct Threads {
    helpers: Vec<Helper>,
}

impl Threads {
    /// So many helpers.
    ///
    /// # Errors
    /// [`Error::Device`] where the system gives no more threads.
    pub fn new(n: usize) -> Result<Threads> {
        let start = |_| {
            let (orders, inbox) = channel();
            let (outbox, answers) = channel();
            let work = move || serve(&inbox, &outbox);
            let spawned = thread::Builder::new().name("intab".into()).spawn(work);
            spawned.map_err(|error| broken(error.to_string()))?;
            Ok(Helper { orders, answers })
        };
        Ok(Threads { helpers: (0..n).map(start).collect::<Result<_>>()? })
    }

    fn answer(&self, helper: usize) -> Result<Vec<f32>> {
        receive(&self.helpers[helper].answers).unwrap_or_else(|_| Err(broken("it has ended".into())))
    }

    /// A helper that is gone is found out when its answer is asked for.
    fn order(&self, helper: usize, order: Order) {
        let _ = self.helpers[helper].orders.send(order);
    }
}

fn broken(problem: String) -> Error {
    Error::Device { what: "a thread of the CPU".into(), problem }
}

fn receive<T>(channel: &Receiver<T>) -> Result<T, RecvError> {
    for _ in 0..LOOKS {
        match channel.try_recv() {
            Ok(value) => return Ok(value),
            Err(TryRecvError::Empty) => spin_loop(),
            Err(TryRecvError::Disconnected) => return Err(RecvError),
        }
    }
    channel.recv()
}

/// A helper's life.
fn serve(inbox: &Receiver<Order>, outbox: &Sender<Result<Vec<f32>>>) {
    let mut member = Member::default();
    while let Ok(order) = receive(inbox) {
        let answer = match order {
            Order::Write { id, part, bytes } => member.write(id, part, &bytes).map(|()| Vec::new()),
            Order::Forget { id } => {
                member.forget(id);
                Ok(Vec::new())
            }
            Order::Multiply { jobs, xs, fast } => {
                let xs: Vec<&[f32]> = xs.iter().map(Vec::as_slice).collect();
                let n_rows: usize = jobs.iter().map(|job| job.rows.len()).sum();
                let mut y = vec![0.0; xs.len() * n_rows];
                member.multiply(&jobs, &xs, fast, &mut y).map(|()| y)
            }
            Order::Attend { slice, q, kv } => {
                let mut y = vec![0.0; q.len()];
                slice.attend(&q, &kv[0], &kv[1], &mut y);
                Ok(y)
            }
            Order::Row { id, row, n_in } => {
                let mut weights = vec![0.0; n_in];
                member.unpack_row(id, row, &mut weights).map(|()| weights)
            }
        };
        if outbox.send(answer).is_err() {
            return;
        }
    }
}

impl Team for Threads {
    fn n_helpers(&self) -> usize {
        self.helpers.len()
    }

    fn most_numbers(&self) -> usize {
        usize::MAX
    }

    fn write(&self, helper: usize, id: u32, part: Shape, bytes: &[u8]) -> Result<()> {
        self.order(helper, Order::Write { id, part, bytes: bytes.to_vec() });
        self.answer(helper).map(drop)
    }

    fn forget(&self, helper: usize, id: u32) -> Result<()> {
        self.order(helper, Order::Forget { id });
        self.answer(helper).map(drop)
    }

    fn start(&self, jobs: &[Vec<Job>], xs: &[&[f32]], fast: bool) {
        let xs: Arc<[Vec<f32>]> = xs.iter().map(|x| x.to_vec()).collect();
        for (helper, jobs) in jobs.iter().enumerate().filter(|(_, jobs)| !jobs.is_empty()) {
            self.order(helper, Order::Multiply { jobs: jobs.clone(), xs: xs.clone(), fast });
        }
    }

    fn start_attention(&self, slice: &Slice, q: Strided, k: Strided, v: Strided) {
        let all = |of: Strided| slice.keys(of).flatten().copied().collect();
        let kv = Arc::new([all(k), all(v)]);
        for helper in 0..self.n_helpers() {
            let slice = slice.of_helper(helper);
            let q: Vec<f32> = slice.queries(q).flatten().copied().collect();
            if !q.is_empty() {
                self.order(helper, Order::Attend { slice, q, kv: kv.clone() });
            }
        }
    }

    fn finish(&self, helper: usize, y: &mut [f32]) -> Result<()> {
        y.copy_from_slice(&self.answer(helper)?);
        Ok(())
    }

    fn unpack_row(&self, helper: usize, id: u32, row: usize, weights: &mut [f32]) -> Result<()> {
        self.order(helper, Order::Row { id, row, n_in: weights.len() });
        weights.copy_from_slice(&self.answer(helper)?);
        Ok(())
    }
}
