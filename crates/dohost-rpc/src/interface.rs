//! The model: methods with their types.
//!
//! Types are those of WIT that a value can be copied of. A record, variant, enum or flags has a name, which is for people
//! only: two types are the same if they are made the same ([`Type::fits`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dynamic::Dynamic;

/// What a component offers and asks for, as far as methods are concerned. Made by [`Interface::read`].
#[derive(Clone, Debug, Default)]
pub struct Interface {
    /// The methods, in the order of the component.
    pub methods: Vec<Arc<Method>>,
    /// Functions that are exported and are none.
    pub not_methods: Vec<NotMethod>,
    /// Interfaces that the component imports to call methods of others.
    pub clients: Vec<Client>,
    /// The names of everything that it imports.
    pub imports: Vec<String>,
    /// The names of everything that it exports.
    pub exports: Vec<String>,
    /// What it says of methods that are known only when it runs, if it has such.
    pub dynamic: Option<Dynamic>,
    pub(crate) by_name: BTreeMap<String, usize>,
}

/// A function that can be called from outside.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    /// The shortest name that means this method and no other of the component.
    pub name: String,
    /// The interface that it is exported in, such as `acme:shop/cart@1.0.0`; none for a function of the world itself.
    pub interface: Option<String>,
    /// Its name in the interface.
    pub function: String,
    /// What it takes.
    pub params: Vec<(String, Type)>,
    /// What it gives.
    pub result: Option<Type>,
    /// An `async func`, which may wait.
    pub is_async: bool,
    /// What its author says about it.
    pub docs: Option<String>,
}

/// A function that is exported but cannot be called from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotMethod {
    /// Interface and function.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// An interface through which a component calls the methods of an object that it has a stub for.
///
/// All its functions take a `borrow<stub>` first and give a `result<…, call-error>`. What follows the stub are the
/// parameters of the method of that name, and the `ok` is its result.
#[derive(Clone, Debug)]
pub struct Client {
    /// The interface, such as `acme:shop-client/cart`.
    pub interface: String,
    /// As methods of the object that is called.
    pub methods: Vec<Arc<Method>>,
    /// What is wrong with it, if it is meant as one and is none.
    pub error: Option<String>,
}

/// The type of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// `bool`
    Bool,
    /// `s8`
    S8,
    /// `u8`
    U8,
    /// `s16`
    S16,
    /// `u16`
    U16,
    /// `s32`
    S32,
    /// `u32`
    U32,
    /// `s64`
    S64,
    /// `u64`
    U64,
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `char`
    Char,
    /// `string`
    String,
    /// `list<…>`
    List(Arc<Type>),
    /// `option<…>`
    Option(Arc<Type>),
    /// `result<…>`
    Result(Option<Arc<Type>>, Option<Arc<Type>>),
    /// `tuple<…>`
    Tuple(Arc<[Type]>),
    /// A record.
    Record(Arc<Record>),
    /// A variant.
    Variant(Arc<Variant>),
    /// An enum.
    Enum(Arc<Enum>),
    /// Flags.
    Flags(Arc<Flags>),
}

/// The name of a type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TypeName {
    /// The interface that it belongs to; none if it belongs to the world.
    pub interface: Option<String>,
    /// Its name there.
    pub name: String,
}

/// Values side by side, each with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What it is called.
    pub name: TypeName,
    /// What it is made of.
    pub fields: Vec<Field>,
    /// What its author says about it.
    pub docs: Option<String>,
}

/// A part of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// What the author says about it.
    pub docs: Option<String>,
}

/// One of several cases, each with a value or without.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// What it is called.
    pub name: TypeName,
    /// What it may be.
    pub cases: Vec<Case>,
    /// What its author says about it.
    pub docs: Option<String>,
}

/// A case of a variant.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// The type of its value, if it has one.
    pub ty: Option<Type>,
    /// What the author says about it.
    pub docs: Option<String>,
}

/// One of several names.
#[derive(Clone, Debug, PartialEq)]
pub struct Enum {
    /// What it is called.
    pub name: TypeName,
    /// What it may be.
    pub cases: Vec<Label>,
    /// What its author says about it.
    pub docs: Option<String>,
}

/// Any of several names.
#[derive(Clone, Debug, PartialEq)]
pub struct Flags {
    /// What they are called.
    pub name: TypeName,
    /// What may be set.
    pub flags: Vec<Label>,
    /// What their author says about them.
    pub docs: Option<String>,
}

/// A case of an enum, or a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: String,
    /// What the author says about it.
    pub docs: Option<String>,
}

impl Interface {
    /// The method of this name: `add`, or `cart.add` where there are several, or with the whole name of the interface
    /// `acme:shop/cart@1.0.0.add`.
    pub fn method(&self, name: &str) -> Option<&Arc<Method>> {
        self.by_name.get(name).map(|&at| &self.methods[at])
    }

    /// The names of all methods, for whoever asked for another one.
    pub fn method_names(&self) -> String {
        let names: Vec<&str> = self.methods.iter().map(|method| method.name.as_str()).collect();
        if names.is_empty() { "none".into() } else { names.join(", ") }
    }

    /// The method that a function of a [`Client`] means: that of the interface of the same name if there is one, or else
    /// the one of this name.
    pub fn method_for(&self, client: &Method) -> Option<&Arc<Method>> {
        let of_interface = client.interface.as_deref().map(|id| format!("{}.{}", short(id), client.function));
        of_interface.and_then(|name| self.method(&name)).or_else(|| self.method(&client.function))
    }

    /// Gives every method its names.
    pub(crate) fn name_methods(&mut self) {
        let mut names: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, method) in self.methods.iter().enumerate() {
            for name in names_of(method) {
                let named = names.entry(name).or_default();
                // A function of the world has no other name, so it has the first right to it.
                match method.interface {
                    None => *named = vec![at],
                    Some(_) if named.iter().any(|&at| self.methods[at].interface.is_none()) => {}
                    Some(_) => named.push(at),
                }
            }
        }
        self.by_name = names.into_iter().filter(|(_, at)| at.len() == 1).map(|(name, at)| (name, at[0])).collect();
        for at in 0..self.methods.len() {
            let mut method = Method::clone(&self.methods[at]);
            let name = names_of(&method).into_iter().find(|name| self.by_name.get(name) == Some(&at));
            method.name = name.expect("the whole name is that of one function");
            self.methods[at] = Arc::new(method);
        }
    }
}

/// From the shortest to the whole one.
fn names_of(method: &Method) -> Vec<String> {
    let mut names = vec![method.function.clone()];
    if let Some(interface) = &method.interface {
        let (short, whole) = (short(interface), interface.as_str());
        names.push(format!("{short}.{}", method.function));
        if whole != short {
            names.push(format!("{whole}.{}", method.function));
        }
    }
    names
}

/// `cart` of `acme:shop/cart@1.0.0`.
pub(crate) fn short(interface: &str) -> &str {
    let name = interface.rsplit_once('/').map_or(interface, |(_, name)| name);
    name.split_once('@').map_or(name, |(name, _)| name)
}

impl Method {
    /// Whether a call that was made for the other one means this one: the same types in the same order.
    pub fn fits(&self, other: &Method) -> bool {
        let same_result = match (&self.result, &other.result) {
            (None, None) => true,
            (Some(this), Some(other)) => this.fits(other),
            _ => false,
        };
        let params = |method: &Method| method.params.len();
        let same_params = params(self) == params(other)
            && self.params.iter().zip(&other.params).all(|((_, this), (_, other))| this.fits(other));
        same_result && same_params
    }
}

impl Type {
    /// Whether values of the two are the same: everything but the names of the types and what is said about them.
    pub fn fits(&self, other: &Type) -> bool {
        let optional = |this: &Option<Arc<Type>>, other: &Option<Arc<Type>>| match (this, other) {
            (None, None) => true,
            (Some(this), Some(other)) => this.fits(other),
            _ => false,
        };
        match (self, other) {
            (Type::List(this), Type::List(other)) | (Type::Option(this), Type::Option(other)) => this.fits(other),
            (Type::Result(ok, err), Type::Result(other_ok, other_err)) => {
                optional(ok, other_ok) && optional(err, other_err)
            }
            (Type::Tuple(this), Type::Tuple(other)) => {
                this.len() == other.len() && this.iter().zip(&**other).all(|(this, other)| this.fits(other))
            }
            (Type::Record(this), Type::Record(other)) => {
                let same = |(this, other): (&Field, &Field)| this.name == other.name && this.ty.fits(&other.ty);
                this.fields.len() == other.fields.len() && this.fields.iter().zip(&other.fields).all(same)
            }
            (Type::Variant(this), Type::Variant(other)) => {
                let same = |(this, other): (&Case, &Case)| {
                    this.name == other.name
                        && match (&this.ty, &other.ty) {
                            (None, None) => true,
                            (Some(this), Some(other)) => this.fits(other),
                            _ => false,
                        }
                };
                this.cases.len() == other.cases.len() && this.cases.iter().zip(&other.cases).all(same)
            }
            (Type::Enum(this), Type::Enum(other)) => same_names(&this.cases, &other.cases),
            (Type::Flags(this), Type::Flags(other)) => same_names(&this.flags, &other.flags),
            _ => self.is_primitive() && self == other,
        }
    }

    /// Has no parts.
    pub(crate) fn is_primitive(&self) -> bool {
        !matches!(
            self,
            Type::List(_)
                | Type::Option(_)
                | Type::Result(..)
                | Type::Tuple(_)
                | Type::Record(_)
                | Type::Variant(_)
                | Type::Enum(_)
                | Type::Flags(_)
        )
    }

    /// The types that this one is made of.
    pub(crate) fn parts(&self) -> Vec<&Type> {
        match self {
            Type::List(inner) | Type::Option(inner) => vec![inner],
            Type::Result(ok, err) => ok.iter().chain(err).map(|ty| &**ty).collect(),
            Type::Tuple(types) => types.iter().collect(),
            Type::Record(record) => record.fields.iter().map(|field| &field.ty).collect(),
            Type::Variant(variant) => variant.cases.iter().filter_map(|case| case.ty.as_ref()).collect(),
            _ => Vec::new(),
        }
    }

    /// The name, if it has one.
    pub(crate) fn name(&self) -> Option<&TypeName> {
        match self {
            Type::Record(record) => Some(&record.name),
            Type::Variant(variant) => Some(&variant.name),
            Type::Enum(enumeration) => Some(&enumeration.name),
            Type::Flags(flags) => Some(&flags.name),
            _ => None,
        }
    }
}

fn same_names(this: &[Label], other: &[Label]) -> bool {
    this.len() == other.len() && this.iter().zip(other).all(|(this, other)| this.name == other.name)
}

#[cfg(test)]
mod tests {
    use crate::samples::interface;

    #[test]
    fn a_method_has_the_shortest_name_that_nothing_else_has() {
        let interface = interface(
            "package acme:shop@1.0.0;
            interface cart { add: func(); pay: func(); hello: func(); }
            interface stock { add: func(); }
            world shop { export cart; export stock; export hello: func(); }",
            "shop",
        );
        let function =
            |name: &str| interface.method(name).map(|method| (method.interface.clone(), method.function.clone()));
        let of = |interface: &str, function: &str| Some((Some(interface.to_string()), function.to_string()));
        assert_eq!(function("hello"), Some((None, "hello".into())), "the one of the world has no other name");
        assert_eq!(function("cart.hello"), of("acme:shop/cart@1.0.0", "hello"));
        assert_eq!(function("add"), None, "two of them");
        assert_eq!(function("stock.add"), of("acme:shop/stock@1.0.0", "add"));
        assert_eq!(function("acme:shop/stock@1.0.0.add"), of("acme:shop/stock@1.0.0", "add"));
        assert_eq!(function("pay"), function("cart.pay"));
        let mut names: Vec<&str> = interface.methods.iter().map(|method| method.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["cart.add", "cart.hello", "hello", "pay", "stock.add"]);
    }
}
