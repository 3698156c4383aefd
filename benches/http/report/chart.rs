//! Charts as SVG: lines over one number, and bars side by side.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::{
    ChartBuilder, Circle, DashedLineSeries, DrawingArea, EmptyElement, IntoDrawingArea,
    IntoLogRange, LineSeries, PathElement, RGBColor, Rectangle, SVGBackend, Text, WHITE,
};
use plotters::style::{BLACK, Color, IntoFont, ShapeStyle};

use crate::Result;

/// Width and height, in pixels.
const SIZE: (u32, u32) = (960, 540);
/// Where the legend begins, and how long its lines are.
const LEGEND: u32 = 690;
const LINE: i32 = 32;
/// A dash and the gap after it.
const DASH: (i32, i32) = (6, 4);
/// Colours that people tell apart whatever they see of colours (Okabe and Ito).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(90, 90, 90),
];

/// What a chart says beside its lines.
pub struct Words<'a> {
    /// Above it.
    pub title: &'a str,
    /// Below the numbers that lines go over.
    pub x: &'a str,
    /// Beside the others.
    pub y: &'a str,
}

/// One line of a chart.
pub struct Series {
    /// What it shows.
    pub name: String,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
    /// Its colour, by number.
    pub colour: usize,
    /// Dashes, to tell two databases apart.
    pub dashed: bool,
}

/// How numbers are laid out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Both by their logarithms.
    Logarithmic,
    /// Both as they are, upwards from zero.
    Linear,
}

/// Lines over one number.
pub fn lines(words: &Words, scale: Scale, series: &[Series]) -> Result<String> {
    let points = || series.iter().flat_map(|series| series.points.iter());
    let ends = |part: fn(&(f64, f64)) -> f64| {
        let values = points().map(part);
        values.fold((f64::INFINITY, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)))
    };
    let ((left, right), (low, high)) = (ends(|p| p.0), ends(|p| p.1));
    let mut text = String::new();
    {
        let whole = area(&mut text)?;
        let (area, beside) = whole.split_horizontally(LEGEND);
        legend(&beside, series)?;
        if right > 0.0 && high > 0.0 {
            match scale {
                Scale::Logarithmic => {
                    let x = (left * 0.9..right * 1.1).log_scale();
                    let y = (low * 0.7..high * 1.5).log_scale();
                    draw(&area, words, (x, y), series)?;
                }
                Scale::Linear => draw(&area, words, (0.0..right, 0.0..high * 1.3), series)?,
            }
        }
        whole.present()?;
    }
    Ok(text)
}

/// Bars: a name, a value, a colour by number.
pub fn bars(words: &Words, bars: &[(String, f64, usize)]) -> Result<String> {
    let high = bars.iter().map(|(_, value, _)| *value).fold(1.0, f64::max);
    let count = u32::try_from(bars.len().max(1))?;
    let mut text = String::new();
    {
        let area = area(&mut text)?;
        // Names stand beside the bars, which lie.
        let mut chart = ChartBuilder::on(&area)
            .caption(words.title, ("sans-serif", 20).into_font())
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(12)
            .build_cartesian_2d(0.0..high * 1.15, 0.0..f64::from(count))?;
        let number = |value: &f64| format!("{value:.0}");
        let mut mesh = chart.configure_mesh();
        mesh.disable_y_mesh()
            .y_labels(0)
            .light_line_style(WHITE)
            .x_desc(words.x)
            .x_label_formatter(&number)
            .draw()?;
        for ((name, value, colour), place) in bars.iter().rev().zip(0_u32..) {
            let (low, high) = (f64::from(place) + 0.15, f64::from(place) + 0.85);
            let fill = COLOURS[colour % COLOURS.len()].mix(0.6).filled();
            chart.draw_series([Rectangle::new([(0.0, low), (*value, high)], fill)])?;
            let label = format!("{name}: {value:.0}");
            let at = EmptyElement::at((0.0, (low + high) / 2.0))
                + Text::new(label, (6, -7), ("sans-serif", 14).into_font().color(&BLACK));
            chart.draw_series([at])?;
        }
        area.present()?;
    }
    Ok(text)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

fn area(text: &mut String) -> Result<Area<'_>> {
    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    Ok(area)
}

fn draw<X, Y>(area: &Area, words: &Words, (x, y): (X, Y), series: &[Series]) -> Result<()>
where
    X: AsRangedCoord<Value = f64>,
    Y: AsRangedCoord<Value = f64>,
    X::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    let mut chart = ChartBuilder::on(area)
        .caption(words.title, ("sans-serif", 20).into_font())
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(72)
        .build_cartesian_2d(x, y)?;
    let number = |value: &f64| format!("{value:.0}");
    let mut mesh = chart.configure_mesh();
    mesh.x_desc(words.x).y_desc(words.y).light_line_style(WHITE);
    mesh.x_label_formatter(&number).y_label_formatter(&number).draw()?;
    for Series { points, colour, dashed, .. } in series {
        let style = ShapeStyle::from(COLOURS[colour % COLOURS.len()]).stroke_width(2);
        let points = || points.iter().copied();
        if *dashed {
            chart.draw_series(DashedLineSeries::new(points(), DASH.0, DASH.1, style))?;
        } else {
            chart.draw_series(LineSeries::new(points(), style))?;
        }
        chart.draw_series(points().map(|point| Circle::new(point, 3, style.filled())))?;
    }
    Ok(())
}

/// What each line is, beside the chart: on it, it would hide one.
fn legend(area: &Area, series: &[Series]) -> Result<()> {
    for (Series { name, colour, dashed, .. }, row) in series.iter().zip(0..) {
        let (y, style) = (56 + row * 26, ShapeStyle::from(COLOURS[colour % COLOURS.len()]));
        let style = style.stroke_width(2);
        let dash = if *dashed { DASH } else { (LINE, 0) };
        for begin in (0..LINE).step_by(usize::try_from(dash.0 + dash.1)?) {
            area.draw(&PathElement::new([(begin, y), (begin + dash.0, y)], style))?;
        }
        let font = ("sans-serif", 13).into_font().color(&BLACK);
        area.draw(&Text::new(name.as_str(), (LINE + 8, y - 6), font))?;
    }
    Ok(())
}
