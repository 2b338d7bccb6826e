//! The device: what is asked of it, and how its errors, which arrive late and from the side, reach the caller.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Arc, Mutex},
};

use super::{
    reports::{self, Scope},
    trial::Open,
};
use crate::{
    error::{Error, Result},
    format::LocalFuture,
};

/// What wgpu says here names the backends it was built without, which helps nobody.
const NO_ADAPTER: &str = if cfg!(target_arch = "wasm32") {
    "this browser has no WebGPU, or it found no graphics adapter"
} else {
    "no graphics adapter was found; is a Vulkan, Metal or Direct3D 12 driver installed?"
};

/// What a device offers beyond what WebGPU promises everywhere, as far as kernels make use of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tiers {
    /// The least and the most threads of a subgroup, where those may work together.
    pub subgroups: Option<[usize; 2]>,
    /// Whether bytes are multiplied and added up by fours (WGSL's `packed_4x8_integer_dot_product`).
    pub dots: bool,
}

impl Tiers {
    fn of(instance: &wgpu::Instance, device: &wgpu::Device, info: &wgpu::AdapterInfo) -> Tiers {
        let [least, most] = [info.subgroup_min_size, info.subgroup_max_size].map(|n| n as usize);
        let has_sizes = least.is_power_of_two() && most.is_power_of_two() && least <= most;
        let language = instance.wgsl_language_features();
        Tiers {
            subgroups: (has_sizes && reports::has_subgroups(device)).then_some([least, most]),
            dots: language.contains(wgpu::WgslLanguageFeatures::Packed4x8IntegerDotProduct),
        }
    }

    /// The names of what is used.
    pub fn names(&self) -> Vec<String> {
        let names = [(self.subgroups.is_some(), "subgroups"), (self.dots, "packed_4x8_integer_dot_product")];
        names.into_iter().filter(|(used, _)| *used).map(|(_, name)| name.to_owned()).collect()
    }
}

/// A GPU, its queue, and the first error that it reported.
#[derive(Clone)]
pub struct Device {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub info: wgpu::AdapterInfo,
    pub tiers: Tiers,
    pub(super) fault: Arc<Mutex<Option<Error>>>,
    pub(super) trial: Rc<RefCell<Option<Open>>>,
    /// The errors that were caught and not told yet.
    watched: Rc<RefCell<Vec<LocalFuture<'static, ()>>>>,
}

impl Device {
    /// The best adapter's device. Where `default_limits` is set, no more than what WebGPU promises everywhere is
    /// asked for, which is how the smallest tier is tested on larger devices.
    ///
    /// # Errors
    /// [`Error::NoDevice`] where there is none.
    pub async fn open(default_limits: bool) -> Result<Device> {
        let none = |problem: String| Error::NoDevice { backend: "gpu", problem };
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = instance.request_adapter(&options).await.map_err(|_| none(NO_ADAPTER.into()))?;
        let mut limits = wgpu::Limits::default();
        if !default_limits {
            let best = adapter.limits();
            limits.max_buffer_size = best.max_buffer_size.max(limits.max_buffer_size);
            limits.max_storage_buffer_binding_size =
                best.max_storage_buffer_binding_size.max(limits.max_storage_buffer_binding_size);
        }
        // Profiles are taken natively alone: browsers make their clocks coarse.
        let has_clock = cfg!(not(target_arch = "wasm32")) && !default_limits;
        let wanted = match has_clock {
            // In a browser www/lib/subgroups.js asks for those, which wgpu 30 cannot.
            true => wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::SUBGROUP,
            false => wgpu::Features::empty(),
        };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("intab"),
            required_features: adapter.features() & wanted,
            required_limits: limits,
            ..Default::default()
        };
        let (device, queue) = adapter.request_device(&descriptor).await.map_err(|e| none(e.to_string()))?;

        let fault = Arc::new(Mutex::new(None));
        let keep = fault.clone();
        reports::on_uncaptured(&device, move |fault| note(&keep, fault.uncaptured()));
        let keep = fault.clone();
        // Also where it was destroyed, by whoever holds it; after our own end of it nobody asks.
        device.set_device_lost_callback(move |_, reason| note(&keep, Error::DeviceLost { reason }));
        let info = adapter.get_info();
        let tiers = match default_limits {
            true => Tiers::default(),
            false => Tiers::of(&instance, &device, &info),
        };
        Ok(Device { device, queue, info, tiers, fault, trial: Rc::default(), watched: Rc::default() })
    }

    /// Makes `what`, of `bytes` bytes (0 where that is unknown). If the device refuses, or has no room, its error names
    /// that: at the latest when it is next settled. For what is made once, not for commands of every token.
    pub fn watch<T>(&self, what: String, bytes: u64, make: impl FnOnce(&wgpu::Device) -> T) -> T {
        let scope = Scope::open(&self.device);
        let made = make(&self.device);
        let fault = self.noted_in();
        self.expect(scope.close(move |caught| note(&fault, caught.about(what.clone(), bytes))));
        made
    }

    /// Lets [`Device::outcome`] wait for what the device will tell.
    pub(super) fn expect(&self, told: LocalFuture<'static, ()>) {
        self.watched.borrow_mut().push(told);
    }

    /// Fails with the first error that the device reported, if any; a device that failed stays failed. Within a trial also
    /// with the trial's.
    pub fn check(&self) -> Result<()> {
        // A poisoned lock means that another thread panicked while noting a fault: nothing to add.
        match self.fault.lock() {
            Ok(fault) => fault.clone().map_or(Ok(()), Err)?,
            Err(_) => return Err(Error::DeviceLost { reason: "its error handler panicked".into() }),
        }
        self.check_trial()
    }

    /// Whether the device went away.
    pub fn is_lost(&self) -> bool {
        matches!(self.check(), Err(Error::DeviceLost { .. }))
    }

    /// The error of a device that does not answer any more, from now on everybody's.
    pub fn lose(&self, reason: &str) -> Error {
        let error = Error::DeviceLost { reason: reason.into() };
        note(&self.fault, error.clone());
        self.check().err().unwrap_or(error)
    }

    /// Resolves when the device has done what it was given so far.
    pub async fn settle(&self) -> Result<()> {
        let (done, wait) = oneshot();
        let submission = self.queue.submit([]); // writes wait for a submission
        self.queue.on_submitted_work_done(move || done(()));
        self.poll(submission)?;
        wait.await;
        self.outcome().await
    }

    /// Resolves when all that was watched has been told; what the device was given to do may still run.
    ///
    /// # Errors
    /// As [`Device::check`].
    pub async fn outcome(&self) -> Result<()> {
        let watched = self.watched.take();
        for told in watched {
            told.await;
        }
        self.check()
    }

    /// Waits natively until the device has done a submission; in a browser the event loop does.
    ///
    /// # Errors
    /// The device's fault, [`Error::DeviceLost`] at the least: its callbacks may never come then.
    pub fn poll(&self, submission: wgpu::SubmissionIndex) -> Result<()> {
        if cfg!(not(target_arch = "wasm32")) {
            let wait = wgpu::PollType::Wait { submission_index: Some(submission), timeout: None };
            if let Err(error) = self.device.poll(wait) {
                self.check()?;
                return Err(Error::DeviceLost { reason: error.to_string() });
            }
        }
        Ok(())
    }

    /// Whether it is software that emulates a GPU, which our own CPU code outruns.
    pub fn is_software(&self) -> bool {
        self.info.device_type == wgpu::DeviceType::Cpu
    }
}

/// The first error counts, but that a device went away explains all others.
pub(super) fn note(fault: &Mutex<Option<Error>>, error: Error) {
    if let Ok(mut fault) = fault.lock() {
        match &*fault {
            Some(Error::DeviceLost { .. }) => {}
            Some(_) if !matches!(error, Error::DeviceLost { .. }) => {}
            _ => *fault = Some(error),
        }
    }
}

/// A callback to call once and a future that resolves with what it was given.
pub fn oneshot<T: Send + 'static>() -> (impl FnOnce(T) + Send + 'static, impl Future<Output = T>) {
    type Shared<T> = Arc<Mutex<(Option<T>, Option<std::task::Waker>)>>;
    let shared: Shared<T> = Arc::new(Mutex::new((None, None)));
    let sender = shared.clone();
    let send = move |value| {
        // The lock is held for assignments only, which cannot panic.
        let mut slot = sender.lock().expect("not poisoned");
        slot.0 = Some(value);
        if let Some(waker) = slot.1.take() {
            waker.wake();
        }
    };
    let receive = std::future::poll_fn(move |context| {
        let mut slot = shared.lock().expect("not poisoned");
        match slot.0.take() {
            Some(value) => std::task::Poll::Ready(value),
            None => {
                slot.1 = Some(context.waker().clone());
                std::task::Poll::Pending
            }
        }
    });
    (send, receive)
}
