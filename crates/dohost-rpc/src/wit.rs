//! Methods and types as WIT text, as their author wrote them.

use std::fmt::{self, Write as _};

use crate::interface::{Label, Method, Type};
use crate::named::Named;

/// The words that an identifier must not be, unless it has a `%` in front.
const KEYWORDS: &[&str] = &[
    "as",
    "async",
    "bool",
    "borrow",
    "char",
    "constructor",
    "enum",
    "error-context",
    "export",
    "f32",
    "f64",
    "flags",
    "from",
    "func",
    "future",
    "import",
    "include",
    "interface",
    "list",
    "map",
    "option",
    "own",
    "package",
    "record",
    "resource",
    "result",
    "s16",
    "s32",
    "s64",
    "s8",
    "static",
    "stream",
    "string",
    "tuple",
    "type",
    "u16",
    "u32",
    "u64",
    "u8",
    "use",
    "variant",
    "with",
    "world",
];

/// An identifier as it is written.
pub(crate) fn identifier(name: &str) -> String {
    if KEYWORDS.contains(&name) { format!("%{name}") } else { name.into() }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        reference(f, self, &|name| &name.name)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_async = if self.is_async { "async " } else { "" };
        write!(f, "{}: {is_async}func(", identifier(&self.name))?;
        for (at, (name, ty)) in self.params.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{}: {ty}", identifier(name))?;
        }
        f.write_str(")")?;
        self.result.as_ref().map_or(Ok(()), |result| write!(f, " -> {result}"))
    }
}

/// The methods, each with what its author says, and the types that they speak of.
pub fn methods(methods: &[std::sync::Arc<Method>], indent: &str) -> String {
    let mut text = String::new();
    for method in methods {
        docs(&mut text, &method.docs, indent);
        writeln!(text, "{indent}{method};").expect("a string takes everything");
    }
    let named = Named::of(methods.iter().map(|method| &**method));
    for ty in &named.types {
        text.push('\n');
        definition(&mut text, ty, &named, indent);
    }
    text
}

/// A type where it is used.
pub(crate) fn reference<'a, 'b: 'a>(
    f: &mut dyn fmt::Write,
    ty: &'b Type,
    name_of: &dyn Fn(&'b crate::TypeName) -> &'a str,
) -> fmt::Result {
    if let Some(name) = ty.name() {
        return f.write_str(&identifier(name_of(name)));
    }
    let plain = match ty {
        Type::Bool => "bool",
        Type::S8 => "s8",
        Type::U8 => "u8",
        Type::S16 => "s16",
        Type::U16 => "u16",
        Type::S32 => "s32",
        Type::U32 => "u32",
        Type::S64 => "s64",
        Type::U64 => "u64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::List(_) => "list",
        Type::Option(_) => "option",
        Type::Tuple(_) => "tuple",
        Type::Result(..) => "result",
        _ => unreachable!("it has a name"),
    };
    f.write_str(plain)?;
    let parts: Vec<Option<&Type>> = match ty {
        Type::Result(None, None) => return Ok(()),
        Type::Result(ok, None) => vec![ok.as_deref()],
        Type::Result(ok, err) => vec![ok.as_deref(), err.as_deref()],
        _ if ty.is_primitive() => return Ok(()),
        _ => ty.parts().into_iter().map(Some).collect(),
    };
    for (at, part) in parts.into_iter().enumerate() {
        f.write_str(if at == 0 { "<" } else { ", " })?;
        match part {
            Some(part) => reference(f, part, name_of)?,
            None => f.write_str("_")?,
        }
    }
    f.write_str(">")
}

/// A type with a name where it is defined.
pub(crate) fn definition(out: &mut String, ty: &Type, named: &Named<'_>, indent: &str) {
    let name = identifier(named.name(ty.name().expect("only types with names are defined")));
    let part = |name: &str, ty: Option<&Type>, opening: &str, closing: &str| {
        let mut line = identifier(name);
        if let Some(ty) = ty {
            line.push_str(opening);
            reference(&mut line, ty, &|name| named.name(name)).expect("a string takes everything");
            line.push_str(closing);
        }
        line
    };
    let labels = |labels: &[Label]| {
        let lines = labels.iter().map(|label| (label.docs.clone(), identifier(&label.name)));
        lines.collect::<Vec<_>>()
    };
    let (kind, about, parts) = match ty {
        Type::Record(record) => {
            let fields = record.fields.iter();
            let fields = fields.map(|field| (field.docs.clone(), part(&field.name, Some(&field.ty), ": ", "")));
            ("record", &record.docs, fields.collect())
        }
        Type::Variant(variant) => {
            let cases = variant.cases.iter();
            let cases = cases.map(|case| (case.docs.clone(), part(&case.name, case.ty.as_ref(), "(", ")")));
            ("variant", &variant.docs, cases.collect())
        }
        Type::Enum(enumeration) => ("enum", &enumeration.docs, labels(&enumeration.cases)),
        Type::Flags(flags) => ("flags", &flags.docs, labels(&flags.flags)),
        _ => unreachable!("it has a name"),
    };
    docs(out, about, indent);
    out.push_str(&format!("{indent}{kind} {name} {{\n"));
    for (about, line) in parts {
        docs(out, &about, &format!("{indent}    "));
        out.push_str(&format!("{indent}    {line},\n"));
    }
    out.push_str(&format!("{indent}}}\n"));
}

/// What the author says, as comments.
pub(crate) fn docs(out: &mut String, docs: &Option<String>, indent: &str) {
    for line in docs.iter().flat_map(|docs| docs.lines()) {
        out.push_str(format!("{indent}/// {line}").trim_end());
        out.push('\n');
    }
}
