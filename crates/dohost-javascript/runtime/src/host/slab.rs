//! Things of the host that JavaScript holds by a number.

use std::cell::RefCell;

pub struct Slab<T> {
    slots: RefCell<Vec<Option<T>>>,
    free: RefCell<Vec<u32>>,
}

impl<T> Slab<T> {
    pub const fn new() -> Slab<T> {
        Slab { slots: RefCell::new(Vec::new()), free: RefCell::new(Vec::new()) }
    }

    pub fn insert(&self, thing: T) -> u32 {
        let mut slots = self.slots.borrow_mut();
        match self.free.borrow_mut().pop() {
            Some(number) => {
                slots[number as usize] = Some(thing);
                number
            }
            None => {
                slots.push(Some(thing));
                u32::try_from(slots.len() - 1).expect("memory ends before numbers do")
            }
        }
    }

    pub fn take(&self, number: u32) -> Option<T> {
        let thing = self.slots.borrow_mut().get_mut(number as usize)?.take()?;
        self.free.borrow_mut().push(number);
        Some(thing)
    }

    pub fn with<R>(&self, number: u32, look: impl FnOnce(&T) -> R) -> Option<R> {
        self.slots.borrow().get(number as usize)?.as_ref().map(look)
    }
}
