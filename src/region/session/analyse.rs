//! How an operation is analysed: the order of checks, and the bill.
//!
//! Checks run in this order, and the first failure is the result: base gas, malformed operands,
//! static rule, lookup gas, handle, generation, rights, mapping, bounds, limits, remaining gas.

use super::{
    super::{
        error::{
            AccessError, AllocError, ChangeError, CreateError, ExecError, LookupError, MapError,
            RegionError,
        },
        handle::{Handle, RegionId},
        operation::{Call, Fault, Operation},
        rights::SecurityLevel,
        world::{Interrupt, World},
    },
    Session,
    effects::Denied,
    local::RegionNumber,
    plan::{Plan, Step},
};

/// Why an analysis ends without a plan.
pub(super) enum Refusal {
    Fault(Fault),
    Static,
    Error(RegionError),
}

pub(super) type Analysis<T> = Result<T, Refusal>;

impl From<Interrupt> for Refusal {
    fn from(interrupt: Interrupt) -> Self {
        Self::Fault(interrupt.into())
    }
}

macro_rules! refusals {
    ($($error:ty),*) => {$(
        impl From<$error> for Refusal {
            fn from(error: $error) -> Self {
                Self::Error(error.into())
            }
        }
    )*};
}
refusals!(CreateError, MapError, AccessError, ChangeError, AllocError, ExecError);

/// Gas spent and gas there is.
pub(super) struct Bill {
    pub(super) spent: u64,
    limit: u64,
}

impl Bill {
    pub(super) fn charge(&mut self, gas: u64) -> Analysis<()> {
        match self.spent.checked_add(gas).filter(|spent| *spent <= self.limit) {
            Some(spent) => {
                self.spent = spent;
                Ok(())
            }
            None => Err(Refusal::Fault(Fault::OutOfGas)),
        }
    }
}

/// What every analysis goes by.
pub(super) struct Analyst<'a> {
    pub(super) session: &'a mut Session,
    pub(super) world: &'a mut dyn World,
    pub(super) call: &'a Call,
    pub(super) bill: Bill,
    pub(super) warm: Option<RegionId>,
    pub(super) words: u64,
}

impl Session {
    /// Checks an operation and says what it costs, without doing it.
    ///
    /// # Errors
    ///
    /// [`Fault`]. Nothing has changed, but what was learnt from the world.
    #[inline]
    pub fn analyse(
        &mut self,
        world: &mut dyn World,
        call: &Call,
        operation: &Operation,
    ) -> Result<Plan, Fault> {
        match self.quick(call, operation) {
            Some(plan) => Ok(plan),
            None => self.analyse_at_length(world, call, operation),
        }
    }

    pub(super) fn analyse_at_length(
        &mut self,
        world: &mut dyn World,
        call: &Call,
        operation: &Operation,
    ) -> Result<Plan, Fault> {
        let kind = operation.kind();
        let bill = Bill { spent: 0, limit: call.gas };
        let base = self.config.gas.base[kind as usize];
        let mut analyst = Analyst { session: self, world, call, bill, warm: None, words: 0 };
        let step = analyst.bill.charge(base).and_then(|()| analyst.step(operation));
        let (gas, warm, words) = (analyst.bill.spent, analyst.warm, analyst.words);
        match step {
            Ok((step, bytes)) => {
                let warm = warm.map(Box::new);
                Ok(Plan { gas, bytes, words, warm, kind, step })
            }
            Err(Refusal::Fault(fault)) => {
                if fault == Fault::OutOfGas {
                    self.usage.record(kind, &Err::<(), ()>(()));
                }
                Err(fault)
            }
            Err(Refusal::Static) => {
                self.usage.record(kind, &Err::<(), ()>(()));
                Err(Fault::Static { gas })
            }
            Err(Refusal::Error(error)) => {
                self.usage.record(kind, &Err::<(), ()>(()));
                if error.is_denial() {
                    self.usage.denied += 1;
                    if self.config.security_level == SecurityLevel::Paranoid {
                        let actor = call.actor;
                        self.denied.push(Denied { operation: kind, actor, error: error.clone() });
                    }
                }
                Err(Fault::Failed { error, gas })
            }
        }
    }
}

impl Analyst<'_> {
    fn step(&mut self, operation: &Operation) -> Analysis<(Step, u64)> {
        let step = match *operation {
            Operation::Alloc { size, class } => self.alloc(size, class)?,
            Operation::Free { handle } => self.free(handle)?,
            Operation::Create { name, size, permissions, options } => {
                self.create(name, size, permissions, options)?
            }
            Operation::Open { owner, name } => self.open(owner, name)?,
            Operation::Map { handle, options, offset, size } => {
                self.map(handle, options, offset, size)?
            }
            Operation::Grow { handle, size } => self.grow(handle, size)?,
            Operation::Grant { handle, address, permissions } => {
                self.grant(handle, address, permissions)?
            }
            Operation::Destroy { handle } => self.destroy(handle)?,
            Operation::Info { handle } => self.info(handle)?,
            Operation::Unmap { mapping } => {
                let place = self.mapping(mapping)?;
                Step::Unmap { place }
            }
            Operation::Publish { mapping } => return self.publish(mapping),
            Operation::Read { mapping, offset, len } => return self.read(mapping, offset, len),
            Operation::ReadPadded { mapping, offset, len } => {
                return self.read_padded(mapping, offset, len);
            }
            Operation::Write { mapping, offset, len } => return self.write(mapping, offset, len),
            Operation::Copy { mapping, destination, source, len } => {
                return self.copy(mapping, destination, source, len);
            }
            Operation::Exec { handle, offset, len, limit } => {
                return self.exec(handle, offset, len, limit);
            }
        };
        Ok((step, 0))
    }

    pub(super) fn not_static(&self) -> Analysis<()> {
        if self.call.is_static { Err(Refusal::Static) } else { Ok(()) }
    }

    /// Finds a region by its handle, and charges for that.
    pub(super) fn look_up(
        &mut self,
        handle: Handle,
    ) -> Analysis<Result<RegionNumber, LookupError>> {
        self.bill.charge(self.session.lookup_gas(handle.id()))?;
        let found = self.session.look_up(self.world, handle)?;
        self.warm = Some(handle.id());
        Ok(found)
    }
}
